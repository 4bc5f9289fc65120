package import Foundation

/// One process that is kept running.
package struct SupervisedService: Sendable {
    /// What people see in messages.
    package var name: String
    package var executable: URL
    package var arguments: [String]
    /// The socket file that an incarnation binds; each gets its own, for libzmq lets two processes bind one path.
    /// This is its path without `-1.sock`, `-2.sock` … Nil for a service that binds no file.
    package var socketStem: String?
    /// Whether the others are worth running without it: then its death before the system is ready does not end the run.
    package var isDispensable = false

    /// - Parameter arguments: before `--bind ipc://SOCKET`, which a service with a socket is given too.
    package init(name: String, executable: URL, arguments: [String], socketStem: String? = nil) {
        (self.name, self.executable, self.arguments, self.socketStem) = (name, executable, arguments, socketStem)
    }

    func socket(incarnation: Int) -> String? { socketStem.map { "\($0)-\(incarnation).sock" } }

    func arguments(incarnation: Int) -> [String] {
        arguments + (socket(incarnation: incarnation).map { ["--bind", "ipc://\($0)"] } ?? [])
    }
}

/// What keeps the supervisor from its work.
package struct SupervisionError: Error, Sendable, CustomStringConvertible {
    package var message: String
    package init(_ message: String) { self.message = message }
    package var description: String { message }
}
