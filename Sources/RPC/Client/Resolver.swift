internal import Foundation

/// Turns a target into addresses, again and again. May block: it runs on a thread of the client's own.
package protocol Resolver: Sendable {
    /// - Throws: whatever went wrong; the client keeps the last set then, as it does for an empty answer.
    func resolve() throws -> [String]
}

/// What a client is pointed at: `ipc://DIR/text-model-*.sock`, `tcp://host:port`, `dns://name:port` or
/// `inproc://name`.
package enum Target {
    /// - Parameter lookup: the numeric addresses of a host name, IPv6 ones in brackets.
    /// - Throws: `RPCError` INVALID_ARGUMENT for a target of no known form.
    package static func resolver(
        _ target: String, lookup: @escaping @Sendable (String) throws -> [String]
    ) throws -> any Resolver {
        guard let separator = target.range(of: "://") else { throw invalid(target) }
        let rest = String(target[separator.upperBound...])
        switch target[..<separator.lowerBound] {
        case "ipc":
            guard let slash = rest.lastIndex(of: "/") else { throw invalid(target) }
            let pattern = String(rest[rest.index(after: slash)...])
            guard pattern.contains("*") else { return StaticResolver(addresses: [target]) }
            return SocketFileResolver(directory: String(rest[..<slash]), pattern: pattern)
        case "tcp", "dns":
            guard let colon = rest.lastIndex(of: ":"), colon != rest.startIndex,
                let port = UInt16(rest[rest.index(after: colon)...])
            else { throw invalid(target) }
            return NameResolver(name: String(rest[..<colon]), port: port, lookup: lookup)
        case "inproc": return StaticResolver(addresses: [target])
        default: throw invalid(target)
        }
    }

    private static func invalid(_ target: String) -> RPCError {
        RPCError(
            .invalidArgument, "target \(target) is none of ipc://DIR/NAME-*.sock, tcp://HOST:PORT, dns://NAME:PORT",
            reason: "invalid_target", notStarted: true)
    }
}

/// Addresses that never change.
package struct StaticResolver: Resolver {
    package let addresses: [String]

    package init(addresses: [String]) {
        self.addresses = addresses
    }

    package func resolve() -> [String] { addresses }
}

/// Every socket file of a directory that matches a pattern with `*`.
package struct SocketFileResolver: Resolver {
    package let directory: String
    package let pattern: String

    package init(directory: String, pattern: String) {
        self.directory = directory
        self.pattern = pattern
    }

    package func resolve() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory)
            .filter { Self.matches($0[...], pattern[...]) }.sorted()
            .map { "ipc://\(directory)/\($0)" }
    }

    static func matches(_ name: Substring, _ pattern: Substring) -> Bool {
        guard let first = pattern.first else { return name.isEmpty }
        if first == "*" {
            let rest = pattern.dropFirst()
            return name.indices.contains { matches(name[$0...], rest) } || matches("", rest)
        }
        return name.first == first && matches(name.dropFirst(), pattern.dropFirst())
    }
}

/// Every A and AAAA record of a name.
package struct NameResolver: Resolver {
    package let name: String
    package let port: UInt16
    let lookup: @Sendable (String) throws -> [String]

    package init(name: String, port: UInt16, lookup: @escaping @Sendable (String) throws -> [String]) {
        self.name = name
        self.port = port
        self.lookup = lookup
    }

    package func resolve() throws -> [String] {
        try Set(lookup(name)).sorted().map { "tcp://\($0):\(port)" }
    }
}
