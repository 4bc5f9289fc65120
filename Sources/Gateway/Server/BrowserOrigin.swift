import Foundation

/// Where a browser's application comes from (RFC 6454): scheme, host and a port that is not the scheme's own.
package struct BrowserOrigin: Hashable, Sendable {
    /// As browsers send it.
    let name: String

    static let any = BrowserOrigin(name: "*")

    private init(name: String) { self.name = name }

    /// - Parameter text: `https://a.example`, `http://localhost:3000`, or `*` for any; nil for anything else.
    package init?(_ text: String) {
        name = text.lowercased()
        if text == "*" { return }
        guard let parts = URLComponents(string: text), let scheme = parts.scheme, let host = parts.host,
            !host.isEmpty, !host.contains("*"),
            name == (scheme + "://" + host + (parts.port.map { ":\($0)" } ?? "")).lowercased()
        else { return nil }
    }
}
