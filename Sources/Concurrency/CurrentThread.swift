import Glibc

/// The thread that asks.
package enum CurrentThread {
    /// What tells it from all others that run.
    package static var id: UInt { UInt(pthread_self()) }
}
