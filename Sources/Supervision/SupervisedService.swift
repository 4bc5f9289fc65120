package import Foundation

/// One process that is kept running.
package struct SupervisedService: Sendable {
    /// What people see in messages.
    package var name: String
    package var executable: URL
    package var arguments: [String]
    /// The socket file that an incarnation binds; each gets its own, for libzmq lets two processes bind one path.
    /// `%` stands for the incarnation's number. Nil for a service that binds no file.
    package var socket: String?

    /// - Parameter arguments: `{socket}` stands for the incarnation's socket file.
    package init(name: String, executable: URL, arguments: [String], socket: String? = nil) {
        (self.name, self.executable, self.arguments, self.socket) = (name, executable, arguments, socket)
    }

    func socket(incarnation: Int) -> String? { socket?.replacingOccurrences(of: "%", with: "\(incarnation)") }

    func arguments(incarnation: Int) -> [String] {
        guard let path = socket(incarnation: incarnation) else { return arguments }
        return arguments.map { $0.replacingOccurrences(of: "{socket}", with: path) }
    }
}

/// What keeps the supervisor from its work.
package struct SupervisionError: Error, Sendable, CustomStringConvertible {
    package var message: String
    package init(_ message: String) { self.message = message }
    package var description: String { message }
}
