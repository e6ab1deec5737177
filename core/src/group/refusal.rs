//! Why a request was refused.

use std::fmt;

use super::MemberId;

/// Why a request was refused; each is one error code of Kafka's.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// `UNKNOWN_MEMBER_ID`: join again with an empty member id.
    UnknownMember,
    /// `ILLEGAL_GENERATION`: join again.
    IllegalGeneration,
    /// `REBALANCE_IN_PROGRESS`: join again with the same member id.
    RebalanceInProgress,
    /// `MEMBER_ID_REQUIRED`: join again with this member id (KIP-394).
    MemberIdRequired(MemberId),
    /// `INCONSISTENT_GROUP_PROTOCOL`: the other members share no protocol with this one.
    InconsistentProtocol,
    /// `INVALID_SESSION_TIMEOUT`: outside of the coordinator's bounds.
    InvalidSessionTimeout,
    /// `INVALID_GROUP_ID`: the group's name is empty or too long.
    InvalidGroupId,
    /// `INVALID_REQUEST`: protocols, metadata or an assignment above the limit.
    TooLarge,
    /// `GROUP_MAX_SIZE_REACHED`.
    GroupFull,
    /// `FENCED_INSTANCE_ID`: another member has taken over this instance id (KIP-345).
    FencedInstance,
    /// `COORDINATOR_NOT_AVAILABLE`: there are as many groups as may be; try again later.
    TooManyGroups,
    /// `COORDINATOR_NOT_AVAILABLE`: all groups together hold as much as may be; try again later.
    NoRoom,
    /// `GROUP_ID_NOT_FOUND`: there is no such group.
    GroupNotFound,
    /// `NON_EMPTY_GROUP`: a group with members is not deleted.
    NonEmptyGroup,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownMember => "the member is not known in this group",
            Self::IllegalGeneration => "the generation is not the group's current one",
            Self::RebalanceInProgress => "the group is rebalancing; join again",
            Self::MemberIdRequired(id) => return write!(f, "join again with member id `{id}`"),
            Self::InconsistentProtocol => "no protocol is common to all members",
            Self::InvalidSessionTimeout => "the session timeout is outside of the bounds",
            Self::InvalidGroupId => "the group id is empty or longer than the limit",
            Self::TooLarge => "protocols, metadata or assignment of a member are above the limit",
            Self::GroupFull => "the group has its limit of members",
            Self::FencedInstance => "another member has taken over this instance id",
            Self::TooManyGroups => "the coordinator has its limit of groups",
            Self::NoRoom => "the groups together hold their limit of octets",
            Self::GroupNotFound => "there is no such group",
            Self::NonEmptyGroup => "the group has members",
        })
    }
}

impl std::error::Error for Refusal {}
