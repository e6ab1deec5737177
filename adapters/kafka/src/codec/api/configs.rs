//! DescribeConfigs, AlterConfigs, IncrementalAlterConfigs and ListConfigResources.

use crate::codec::message;

message! {
    /// Asks for settings.
    DescribeConfigsRequest {
        resources: Vec<ConfigResource>, 0..;
        include_synonyms: bool, 1..;
        include_documentation: bool, 3..;
    }

    /// A topic (2) or broker (4); null keys are all of them.
    ConfigResource {
        resource_type: i8, 0..;
        resource_name: String, 0..;
        configuration_keys: Option<Vec<String>>, 0..;
    }

    /// The settings.
    DescribeConfigsResponse {
        throttle_time_ms: i32, 0..;
        results: Vec<DescribedResource>, 0..;
    }

    /// A resource's settings.
    DescribedResource {
        error_code: i16, 0..;
        error_message: Option<String>, 0..;
        resource_type: i8, 0..;
        resource_name: String, 0..;
        configs: Vec<DescribedConfig>, 0..;
    }

    /// A setting.
    DescribedConfig {
        name: String, 0..;
        value: Option<String>, 0..;
        read_only: bool, 0..;
        is_default: bool, 0..=0;
        config_source: i8 = -1, 1..;
        is_sensitive: bool, 0..;
        synonyms: Vec<ConfigSynonym>, 1..;
        config_type: i8, 3..;
        documentation: Option<String>, 3..;
    }

    /// Where else a setting's value could come from.
    ConfigSynonym {
        name: String, 1..;
        value: Option<String>, 1..;
        source: i8, 1..;
    }

    /// Asks what has settings; types as in [`ConfigResource`], none is all of them.
    ListConfigResourcesRequest {
        resource_types: Vec<i8>, 1..;
    }

    /// What has settings.
    ListConfigResourcesResponse {
        throttle_time_ms: i32, 0..;
        error_code: i16, 0..;
        config_resources: Vec<ListedResource>, 0..;
    }

    /// A resource; before version 1 they are all of clients' metrics (16).
    ListedResource {
        resource_name: String, 0..;
        resource_type: i8 = 16, 1..;
    }

    /// Replaces settings.
    AlterConfigsRequest {
        resources: Vec<AlterResource>, 0..;
        validate_only: bool, 0..;
    }

    /// All settings of a resource.
    AlterResource {
        resource_type: i8, 0..;
        resource_name: String, 0..;
        configs: Vec<AlterConfig>, 0..;
    }

    /// A setting.
    AlterConfig {
        name: String, 0..;
        value: Option<String>, 0..;
    }

    /// Changes single settings.
    IncrementalAlterConfigsRequest {
        resources: Vec<IncrementalResource>, 0..;
        validate_only: bool, 0..;
    }

    /// Settings of a resource to be changed.
    IncrementalResource {
        resource_type: i8, 0..;
        resource_name: String, 0..;
        configs: Vec<IncrementalConfig>, 0..;
    }

    /// A change: 0 sets, 1 deletes, 2 appends to a list, 3 takes from it.
    IncrementalConfig {
        name: String, 0..;
        config_operation: i8, 0..;
        value: Option<String>, 0..;
    }

    /// What was altered, of either request.
    AlterConfigsResponse {
        throttle_time_ms: i32, 0..;
        responses: Vec<AlteredResource>, 0..;
    }

    /// What became of a resource.
    AlteredResource {
        error_code: i16, 0..;
        error_message: Option<String>, 0..;
        resource_type: i8, 0..;
        resource_name: String, 0..;
    }
}
