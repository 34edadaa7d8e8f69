//! DnsResolveAssert against a real name server, with dig beside it, and against one that misbehaves as it is told.

mod misbehaving;
mod scripted;
mod unbound;
mod zones;
