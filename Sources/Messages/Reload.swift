internal import CMessages

/// Asks a service to take what now lies where a model was loaded from.
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

/// What serves new calls now.
package struct ReloadReply: BusMessage {
    package var revision: String
    /// The files are those that were loaded already.
    package var isUnchanged: Bool

    package init(revision: String, isUnchanged: Bool) {
        (self.revision, self.isUnchanged) = (revision, isUnchanged)
    }

    package static let codec = MessageCodec(Self.self)
}

extension ReloadReply: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__ReloadReply>) { nephele__v1__reload_reply__init(c) }

    init(reading c: Nephele__V1__ReloadReply) throws {
        revision = try c.revision.text("revision")
        isUnchanged = c.unchanged != 0
    }

    func write(to c: inout Nephele__V1__ReloadReply, in arena: inout Arena) {
        (c.has_revision, c.revision) = (1, arena.text(revision))
        (c.has_unchanged, c.unchanged) = (1, isUnchanged ? 1 : 0)
    }
}
