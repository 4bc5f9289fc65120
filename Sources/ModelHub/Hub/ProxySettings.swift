internal import AsyncHTTPClient
internal import Foundation

/// Which proxy a host is asked through, by the variables that curl reads: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and
/// `NO_PROXY`, in small letters too.
struct ProxySettings: Sendable {
    private let byScheme: [String: String]
    private let exceptions: [String]

    init(_ environment: [String: String]) {
        func value(_ name: String) -> String? {
            [environment[name.lowercased()], environment[name]].lazy.compactMap { $0 }.first { !$0.isEmpty }
        }
        var byScheme: [String: String] = [:]
        for scheme in ["http", "https"] {
            byScheme[scheme] = value("\(scheme.uppercased())_PROXY") ?? value("ALL_PROXY")
        }
        self.byScheme = byScheme
        exceptions = (value("NO_PROXY") ?? "").split(separator: ",").map {
            $0.trimmingCharacters(in: .whitespaces).lowercased()
        }
    }

    /// The proxy's address as it was given; nil to ask the host itself.
    ///
    /// - Parameter port: nil for the scheme's own.
    func proxy(scheme: String, host: String, port: Int? = nil) -> String? {
        let host = host.lowercased(), end = ":\(port ?? (scheme == "https" ? 443 : 80))"
        let isException = exceptions.contains { exception in
            if exception == "*" { return true }
            // An exception may be for one port.
            let exception = exception.hasSuffix(end) ? String(exception.dropLast(end.count)) : exception
            let name = exception.hasPrefix("*.") ? exception.dropFirst(2) : exception.drop { $0 == "." }
            return !name.isEmpty && (host == name || host.hasSuffix("." + name))
        }
        return isException ? nil : byScheme[scheme]
    }

    /// - Throws: `HubError` for an address that is none; what it says does not hold the password.
    static func client(of address: String) throws(HubError) -> HTTPClient.Configuration.Proxy {
        let text = address.contains("://") ? address : "http://" + address
        guard let url = URLComponents(string: text), let host = url.host, !host.isEmpty,
            let scheme = url.scheme?.lowercased()
        else {
            throw HubError(.invalidName, "a proxy's address in the environment cannot be read; write http://host:port")
        }
        switch scheme {
        case "http":
            let user = url.user.map {
                HTTPClient.Authorization.basic(username: $0, password: url.password ?? "")
            }
            return .server(host: host, port: url.port ?? 80, authorization: user)
        case "socks5", "socks5h", "socks": return .socksServer(host: host, port: url.port ?? 1_080)
        default:
            throw HubError(.invalidName, "a proxy of the scheme '\(scheme)' is not spoken to; http and socks5 are")
        }
    }
}
