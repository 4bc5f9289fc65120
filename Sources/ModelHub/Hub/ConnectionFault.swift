internal import AsyncHTTPClient
internal import NIOPosix
internal import NIOSSL

/// Why there is no connection, where another try would fail in the same way.
enum ConnectionFault {
    /// - Parameter source: whose certificates are believed: a file, or nil for the system's.
    case untrusted(source: String?)
    case otherHost
    case noTLS
    case proxyWantsName
    case proxyRefuses(String)

    /// - Returns: nil for what may be over the next time.
    init?(_ error: any Error, _ settings: HubSettings) {
        switch error {
        case let error as NIOConnectionError:
            guard let first = error.connectionErrors.first else { return nil }
            self.init(first.error, settings)
        case let error as HTTPClientError where error == .proxyAuthenticationRequired: self = .proxyWantsName
        case let error as HTTPClientError where "\(error)".contains("invalidProxyResponse"):
            self = .proxyRefuses("\(error)")
        case let error as NIOSSLExtraError where error == .failedToValidateHostname: self = .otherHost
        case let error as NIOSSLError:
            guard case .handshakeFailed(let cause) = error else { return nil }
            // BoringSSL tells its errors in words alone.
            let words = "\(cause)"
            if words.contains("CERTIFICATE_VERIFY_FAILED") {
                self = .untrusted(source: settings.certificates)
            } else if words.contains("WRONG_VERSION_NUMBER") || words.contains("HTTP_REQUEST") {
                self = .noTLS
            } else {
                return nil
            }
        default: return nil
        }
    }

    func message(_ host: String) -> String {
        switch self {
        case .untrusted(let source):
            "the certificate of \(host) is signed by nobody that \(source ?? "this system") trusts; give the certificate of "
                + "its authority, or of the proxy that stands between, as a file in PEM: SSL_CERT_FILE"
        case .otherHost: "the certificate that \(host) shows is for another name; look at HF_ENDPOINT"
        case .noTLS: "what answers at \(host) speaks no TLS; look at HF_ENDPOINT, whether it is http:// and which port"
        case .proxyWantsName:
            "the proxy wants to know who asks; write HTTPS_PROXY=http://NAME:PASSWORD@host:port"
        case .proxyRefuses(let words):
            "the proxy does not let the way to \(host) through (\(words.prefix(100).printable)); look at HTTPS_PROXY and NO_PROXY"
        }
    }
}
