internal import Messages
package import RPC

/// Returns what it gets, at once or later, and counts. For the bus's benchmark and its contract suite.
package struct EchoService: RPCService {
    package init() {}

    package func register(with router: inout RPCRouter) {
        router.immediate(Echo.echo) { request, _ in
            ServerReply(EchoReply(payload: request.message.payload), attachments: request.attachments)
        }
        router.unary(Echo.echoLater) { request, _ in
            ServerReply(EchoReply(payload: request.message.payload), attachments: request.attachments)
        }
        router.serverStreaming(Echo.count) { request, writer, _ in
            let payload = [UInt8](repeating: 7, count: request.message.payloadSize)
            for index in 0..<request.message.count {
                try await writer.write(CountReply(index: index, payload: payload))
            }
        }
    }
}
