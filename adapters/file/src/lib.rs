//! Files, stdin and stdout as sources and destinations: `file://PATH?format=envelope|lines|csv` and `-`.
#![allow(dead_code)]
mod csv;
mod lines;
