internal import CMessages

/// The service of the bus's contract suite and benchmark; the pattern for every other service's messages.
package enum Echo {
    package static let service = ServiceSchema(nephele__v1__echo__descriptor)
    /// Answers at once, on the transport's thread.
    package static let echo = Method<EchoRequest, EchoReply>(service, "Echo", .unary)
    /// Answers from a task of its own.
    package static let echoLater = Method<EchoRequest, EchoReply>(service, "EchoLater", .unary)
    package static let count = Method<CountRequest, CountReply>(service, "Count", .serverStreaming)
}

/// Bytes to be returned.
package struct EchoRequest: BusMessage {
    package var payload: [UInt8]

    package init(payload: [UInt8] = []) {
        self.payload = payload
    }

    package static let codec = MessageCodec(Self.self)
}

extension EchoRequest: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__EchoRequest>) { nephele__v1__echo_request__init(c) }

    init(reading c: Nephele__V1__EchoRequest) throws {
        payload = c.payload.array
    }

    func write(to c: inout Nephele__V1__EchoRequest, in arena: inout Arena) {
        c.has_payload = 1
        c.payload = arena.bytes(payload)
    }
}

/// The bytes that came.
package struct EchoReply: BusMessage {
    package var payload: [UInt8]

    package init(payload: [UInt8] = []) {
        self.payload = payload
    }

    package static let codec = MessageCodec(Self.self)
}

extension EchoReply: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__EchoReply>) { nephele__v1__echo_reply__init(c) }

    init(reading c: Nephele__V1__EchoReply) throws {
        payload = c.payload.array
    }

    func write(to c: inout Nephele__V1__EchoReply, in arena: inout Arena) {
        c.has_payload = 1
        c.payload = arena.bytes(payload)
    }
}

/// A stream of `count` replies with `payloadSize` bytes each.
package struct CountRequest: BusMessage {
    package var count: Int
    package var payloadSize: Int

    package init(count: Int, payloadSize: Int = 0) {
        self.count = count
        self.payloadSize = payloadSize
    }

    package static let codec = MessageCodec(Self.self)
}

extension CountRequest: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__CountRequest>) { nephele__v1__count_request__init(c) }

    init(reading c: Nephele__V1__CountRequest) throws {
        count = try size(c.count, "count")
        payloadSize = try size(c.payload_size, "payload_size")
    }

    func write(to c: inout Nephele__V1__CountRequest, in arena: inout Arena) {
        c.has_count = 1
        c.count = count.wire
        c.has_payload_size = 1
        c.payload_size = payloadSize.wire
    }
}

/// One message of a stream; `index` counts from 0.
package struct CountReply: BusMessage {
    package var index: Int
    package var payload: [UInt8]

    package init(index: Int, payload: [UInt8] = []) {
        self.index = index
        self.payload = payload
    }

    package static let codec = MessageCodec(Self.self)
}

extension CountReply: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__CountReply>) { nephele__v1__count_reply__init(c) }

    init(reading c: Nephele__V1__CountReply) throws {
        index = try size(c.index, "index")
        payload = c.payload.array
    }

    func write(to c: inout Nephele__V1__CountReply, in arena: inout Arena) {
        c.has_index = 1
        c.index = index.wire
        c.has_payload = 1
        c.payload = arena.bytes(payload)
    }
}
