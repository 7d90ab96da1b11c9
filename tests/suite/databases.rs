//! Databases with real servers: dumped, lost, restored, drilled; and tools and servers that are not what
//! they should be.

mod servers;
mod postgresql;
mod mariadb;
mod sqlite;
mod guards;
