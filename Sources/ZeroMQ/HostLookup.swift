internal import CZeroMQ
internal import Glibc

/// Names to numeric addresses, through the system's resolver. Blocks.
package enum HostLookup {
    /// IPv4 as they are, IPv6 in brackets.
    /// - Throws: `ZeroMQError`-free text of the system when the name has none.
    package static func addresses(of name: String) throws -> [String] {
        let bare = name.hasPrefix("[") && name.hasSuffix("]") ? String(name.dropFirst().dropLast()) : name
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(bare, nil, &hints, &list)
        guard code == 0 else {
            throw HostLookupError(name: name, problem: String(cString: gai_strerror(code)))
        }
        defer { freeaddrinfo(list) }
        var addresses: [String] = []
        var next = list
        while let entry = next {
            var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let code = getnameinfo(
                entry.pointee.ai_addr, entry.pointee.ai_addrlen, &host, socklen_t(host.count), nil, 0, NI_NUMERICHOST)
            if code == 0 {
                let text = String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                addresses.append(text.contains(":") ? "[\(text)]" : text)
            }
            next = entry.pointee.ai_next
        }
        return addresses
    }
}

/// A name without an address.
package struct HostLookupError: Error, CustomStringConvertible {
    package let name: String
    package let problem: String

    package var description: String { "no address for \(name): \(problem)" }
}
