internal import Messages
package import RPC

/// Returns what it gets, at once or later, and counts. For the bus's benchmark and its contract suite.
package struct EchoService: RPCService {
    package init() {}

    package func register(with router: inout RPCRouter) {
        router.immediate(Wire.Echo.echo) { request, _ in
            ServerReply(Wire.EchoReply(payload: request.message.payload), attachments: request.attachments)
        }
        router.unary(Wire.Echo.echoLater) { request, _ in
            ServerReply(Wire.EchoReply(payload: request.message.payload), attachments: request.attachments)
        }
        router.serverStreaming(Wire.Echo.count) { request, writer, _ in
            let payload = [UInt8](repeating: 7, count: request.message.payloadSize)
            for index in 0..<request.message.count {
                try await writer.write(Wire.CountReply(index: index, payload: payload))
            }
        }
    }
}
