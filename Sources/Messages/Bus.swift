internal import CMessages

/// The methods that every server has.
package enum Bus {
    package static let service = ServiceSchema(nephele__v1__bus__descriptor)
    package static let describe = Method<DescribeRequest, ServiceDescription>(service, "Describe", .unary)
    package static let health = Method<HealthRequest, HealthReply>(service, "Health", .unary)
}

/// Asks an instance what it is.
package struct DescribeRequest: BusMessage {
    package init() {}

    package static let codec = MessageCodec(Self.self)
}

extension DescribeRequest: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__DescribeRequest>) {
        nephele__v1__describe_request__init(c)
    }

    init(reading c: Nephele__V1__DescribeRequest) throws {}

    func write(to c: inout Nephele__V1__DescribeRequest, in arena: inout Arena) {}
}

/// Asks an instance how it is.
package struct HealthRequest: BusMessage {
    package init() {}

    package static let codec = MessageCodec(Self.self)
}

extension HealthRequest: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__HealthRequest>) {
        nephele__v1__health_request__init(c)
    }

    init(reading c: Nephele__V1__HealthRequest) throws {}

    func write(to c: inout Nephele__V1__HealthRequest, in arena: inout Arena) {}
}

/// Whether an instance takes calls, and its load.
package struct HealthReply: BusMessage {
    package enum State: UInt32, Sendable {
        /// Up, but without what its calls need (a model is loading).
        case starting = 1
        case serving = 2
        /// Finishes its calls and takes no new ones.
        case draining = 3
        /// A step runs far longer than any before.
        case stuck = 4
    }

    package var state: State
    package var load: LoadReport

    package init(state: State, load: LoadReport) {
        self.state = state
        self.load = load
    }

    package static let codec = MessageCodec(Self.self)
}

extension HealthReply: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__HealthReply>) { nephele__v1__health_reply__init(c) }

    init(reading c: Nephele__V1__HealthReply) throws {
        guard let state = State(rawValue: c.state), let load = c.load else {
            throw MessageError(message: "a HealthReply with state \(c.state) or without load: update the older side")
        }
        self.state = state
        self.load = try LoadReport(reading: load.pointee)
    }

    func write(to c: inout Nephele__V1__HealthReply, in arena: inout Arena) {
        c.has_state = 1
        c.state = state.rawValue
        c.load = arena.message(load)
    }
}
