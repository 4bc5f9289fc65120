package import Hummingbird
import HummingbirdCore
import HummingbirdTLS
package import Logging
package import NIOCore

/// Where and how a gateway listens.
package struct GatewayAddress: Sendable {
    package var host: String
    /// 0 for any that is free.
    package var port: Int
    /// Connections, at most; further ones wait to be accepted.
    package var connectionLimit = 8_192
    /// Connections that wait to be accepted, at most: a client beyond has to try again a second later. The system allows
    /// as many in most places.
    static let backlog = 4_096
    /// A connection that does not bring the whole head of a request, or all of a body, in that time is closed.
    package var patience: TimeAmount = .seconds(60)

    package init(host: String = "127.0.0.1", port: Int = 0) { (self.host, self.port) = (host, port) }
}

extension Gateway {
    /// The gateway as a service: the server, and the handlers of its connections.
    ///
    /// - Parameter onServerRunning: is called with the channel once the gateway listens.
    /// - Throws: what is wrong with the certificates.
    package func application(
        at address: GatewayAddress, logger: Logger? = nil,
        onServerRunning: @escaping @Sendable (any Channel) async -> Void = { _ in }
    ) throws -> some ApplicationProtocol {
        let (clients, bodyLimit, patience) = (clients, bodyLimit, address.patience)
        let keepAliveInterval = keepAliveInterval
        let configuration = HTTP1Channel.Configuration(
            additionalChannelHandlers: [
                ConnectedClients.Handler(clients), RequestGuard(patience: patience, bodyLimit: bodyLimit),
                StreamKeepAlive(interval: keepAliveInterval),
            ],
            idleTimeout: patience,
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 64 << 10, maxHeaderFieldCount: 200))
        let http = HTTPServerBuilder { responder in
            OnEventLoop(HTTP1Channel(responder: RequestEnd.following(responder), configuration: configuration))
        }
        var server = http
        if let certificates { server = try .tls(http, tlsConfiguration: certificates.configuration) }
        return Application(
            router: router(), server: server,
            configuration: .init(
                address: .hostname(address.host, port: address.port), serverName: "nephele",
                backlog: GatewayAddress.backlog,
                availableConnectionsDelegate: MaximumAvailableConnections(address.connectionLimit)),
            onServerRunning: onServerRunning, logger: logger)
    }
}
