internal import CZeroMQ

/// The bus's yardstick: blocking libzmq calls with as many parts a message as the bus has, and nothing else.
package enum BareEcho {
    /// Returns every message to its sender, for ever.
    package static func serve(_ endpoint: String, bound: (String) -> Void) throws {
        let context = try ZeroMQContext()
        let socket = try ZeroMQSocket(context, .router)
        bound(try socket.bind(endpoint))
        var buffers = [[UInt8]](repeating: [UInt8](repeating: 0, count: 4096), count: 3)
        while true {
            var sizes = [0, 0, 0]
            for part in 0..<3 {
                let size = zmq_recv(socket.handle, &buffers[part], 4096, 0)
                guard size >= 0, size <= 4096 else { throw ZeroMQError(operation: "zmq_recv", number: zmq_errno()) }
                sizes[part] = Int(size)
            }
            for part in 0..<3 {
                guard zmq_send(socket.handle, buffers[part], sizes[part], part < 2 ? ZMQ_SNDMORE : 0) >= 0 else {
                    throw ZeroMQError(operation: "zmq_send", number: zmq_errno())
                }
            }
        }
    }

    /// One client's socket and its messages.
    package final class Client {
        private let socket: ZeroMQSocket
        private let header: [UInt8]
        private let payload: [UInt8]
        private var buffer = [UInt8](repeating: 0, count: 4096)

        package init(_ endpoint: String, headerBytes: Int, payloadBytes: Int) throws {
            socket = try ZeroMQSocket(ZeroMQContext(), .dealer)
            try socket.connect(endpoint)
            header = [UInt8](repeating: 1, count: headerBytes)
            payload = [UInt8](repeating: 2, count: payloadBytes)
        }

        package func send() throws {
            guard zmq_send(socket.handle, header, header.count, ZMQ_SNDMORE) >= 0,
                zmq_send(socket.handle, payload, payload.count, 0) >= 0
            else { throw ZeroMQError(operation: "zmq_send", number: zmq_errno()) }
        }

        package func receive() throws {
            for _ in 0..<2 where zmq_recv(socket.handle, &buffer, buffer.count, 0) < 0 {
                throw ZeroMQError(operation: "zmq_recv", number: zmq_errno())
            }
        }
    }
}
