internal import CMessages

/// Asks a text-model to load a LoRA adapter.
package struct LoadAdapterRequest: BusMessage {
    /// Empty for the model that the adapter's own configuration names.
    package var model: String
    /// What requests will call it.
    package var name: String
    /// Where it lies within the instance's folder of adapters.
    package var path: String

    package init(model: String, name: String, path: String) {
        (self.model, self.name, self.path) = (model, name, path)
    }

    package static let codec = MessageCodec(Self.self)
}

extension LoadAdapterRequest: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__LoadAdapterRequest>) {
        nephele__v1__load_adapter_request__init(c)
    }

    init(reading c: Nephele__V1__LoadAdapterRequest) throws {
        model = try c.model.text("model")
        name = try c.name.text("name")
        path = try c.path.text("path")
    }

    func write(to c: inout Nephele__V1__LoadAdapterRequest, in arena: inout Arena) {
        if !model.isEmpty { (c.has_model, c.model) = (1, arena.text(model)) }
        (c.has_name, c.name) = (1, arena.text(name))
        (c.has_path, c.path) = (1, arena.text(path))
    }
}

/// The adapter that an instance has now.
package struct LoadAdapterReply: BusMessage {
    /// The model that it changes.
    package var model: String
    /// SHA-256 of what it computes.
    package var contentID: String
    /// Memory that it takes, in bytes.
    package var size: Int
    /// It was there before, the same to the bit.
    package var wasLoaded: Bool

    package init(model: String, contentID: String, size: Int, wasLoaded: Bool) {
        (self.model, self.contentID, self.size, self.wasLoaded) = (model, contentID, size, wasLoaded)
    }

    package static let codec = MessageCodec(Self.self)
}

extension LoadAdapterReply: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__LoadAdapterReply>) {
        nephele__v1__load_adapter_reply__init(c)
    }

    init(reading c: Nephele__V1__LoadAdapterReply) throws {
        model = try c.model.text("model")
        contentID = try c.content_id.text("content_id")
        size = try Messages.size(c.size, "size")
        wasLoaded = c.was_loaded != 0
    }

    func write(to c: inout Nephele__V1__LoadAdapterReply, in arena: inout Arena) {
        (c.has_model, c.model) = (1, arena.text(model))
        (c.has_content_id, c.content_id) = (1, arena.text(contentID))
        (c.has_size, c.size) = (1, size.wire)
        (c.has_was_loaded, c.was_loaded) = (1, wasLoaded ? 1 : 0)
    }
}

/// Asks a text-model to forget an adapter: new requests no longer find it, those that run keep it.
package struct UnloadAdapterRequest: BusMessage {
    package var model: String
    package var name: String

    package init(model: String, name: String) { (self.model, self.name) = (model, name) }

    package static let codec = MessageCodec(Self.self)
}

extension UnloadAdapterRequest: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__UnloadAdapterRequest>) {
        nephele__v1__unload_adapter_request__init(c)
    }

    init(reading c: Nephele__V1__UnloadAdapterRequest) throws {
        model = try c.model.text("model")
        name = try c.name.text("name")
    }

    func write(to c: inout Nephele__V1__UnloadAdapterRequest, in arena: inout Arena) {
        (c.has_model, c.model) = (1, arena.text(model))
        (c.has_name, c.name) = (1, arena.text(name))
    }
}

/// The adapter is forgotten.
package struct UnloadAdapterReply: BusMessage {
    package init() {}

    package static let codec = MessageCodec(Self.self)
}

extension UnloadAdapterReply: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__UnloadAdapterReply>) {
        nephele__v1__unload_adapter_reply__init(c)
    }

    init(reading c: Nephele__V1__UnloadAdapterReply) throws {}

    func write(to c: inout Nephele__V1__UnloadAdapterReply, in arena: inout Arena) {}
}
