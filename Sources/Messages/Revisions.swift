internal import CMessages

/// Replacing a model's revision while it is served.
package enum RevisionMethods {
    package static let service = ServiceSchema(nephele__v1__revisions__descriptor)
    package static let reload = Method<ReloadRequest, ReloadReply>(service, "Reload", .unary)
}

/// Asks an instance to load what is at a model's place now.
package struct ReloadRequest: BusMessage {
    package var model: String

    package init(model: String) { self.model = model }

    package static let codec = MessageCodec(Self.self)
}

extension ReloadRequest: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__ReloadRequest>) {
        nephele__v1__reload_request__init(c)
    }

    init(reading c: Nephele__V1__ReloadRequest) throws { model = try c.model.text("model") }

    func write(to c: inout Nephele__V1__ReloadRequest, in arena: inout Arena) {
        (c.has_model, c.model) = (1, arena.text(model))
    }
}

/// What new calls get from now on.
package struct ReloadReply: BusMessage {
    package var revision: String
    /// What they got before; the same where the files had not changed.
    package var previous: String
    package var duration: Duration

    package init(revision: String, previous: String, duration: Duration) {
        (self.revision, self.previous, self.duration) = (revision, previous, duration)
    }

    package static let codec = MessageCodec(Self.self)
}

extension ReloadReply: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__ReloadReply>) {
        nephele__v1__reload_reply__init(c)
    }

    init(reading c: Nephele__V1__ReloadReply) throws {
        revision = try c.revision.text("revision")
        previous = try c.previous.text("previous")
        duration = Duration(wireMicroseconds: c.load_us)
    }

    func write(to c: inout Nephele__V1__ReloadReply, in arena: inout Arena) {
        (c.has_revision, c.revision) = (1, arena.text(revision))
        (c.has_previous, c.previous) = (1, arena.text(previous))
        (c.has_load_us, c.load_us) = (1, duration.microseconds)
    }
}
