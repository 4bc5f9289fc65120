internal import CMessages

/// What one instance is: calls are routed by this, never by the name of an address.
package struct ServiceDescription: BusMessage {
    /// Never reused: another process, another id.
    package var instanceID: String
    /// E.g. `text-model`.
    package var service: String
    package var models: [ModelDescription] = []
    package var shard = 0
    package var shardCount = 1
    /// Layers of the model that this shard holds.
    package var layers: Range<Int> = 0..<0
    /// Units of work done at the same time.
    package var capacity = 1
    /// Set by the server: grows at every change.
    package internal(set) var epoch: UInt64 = 0
    /// Whatever else the service and its callers agree on.
    package var metadata: [UInt8] = []

    package init(instanceID: String = ServiceDescription.newInstanceID(), service: String) {
        self.instanceID = instanceID
        self.service = service
    }

    /// 128 random bits in hexadecimal.
    package static func newInstanceID() -> String {
        var text: [UInt8] = []
        text.reserveCapacity(32)
        for word in [UInt64.random(in: .min ... .max), .random(in: .min ... .max)] {
            for shift in stride(from: 60, through: 0, by: -4) { text.append(digits[Int(word >> UInt64(shift) & 15)]) }
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static let digits = Array("0123456789abcdef".utf8)

    /// This description as number `epoch` of its instance.
    package func with(epoch: UInt64) -> Self {
        var copy = self
        copy.epoch = epoch
        return copy
    }

    package static let codec = MessageCodec(Self.self)
}

/// A model that an instance serves.
package struct ModelDescription: Sendable, Equatable {
    package var name: String
    package var revision = ""
    /// Hash of weights, adapters, tokenizer, precision and kernel order: equal ids continue each other's work.
    package var numericsID = ""
    /// `text` or `image`.
    package var modality = ""
    package var contextLength = 0
    package var metadata: [UInt8] = []
    /// The model of the same instance that this one is an adapter of; nil: it stands by itself.
    package var parent: String?
    /// Of the tokenizer that its prompts have to be encoded by; empty: none is needed, or it is not known.
    package var tokenizerHash = ""
    /// Another revision has taken its place: calls that run on it go on, new ones go elsewhere.
    package var isRetiring = false

    package init(name: String) {
        self.name = name
    }
}

extension ServiceDescription: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__DescribeReply>) {
        nephele__v1__describe_reply__init(c)
    }

    init(reading c: Nephele__V1__DescribeReply) throws {
        instanceID = try c.instance_id.text("instance_id")
        service = try c.service.text("service")
        models = try readAll(ModelDescription.self, c.models, c.n_models)
        shard = Int(c.shard)
        shardCount = Int(c.shard_count)
        layers = Int(c.first_layer)..<(Int(c.first_layer) + Int(c.layer_count))
        capacity = max(1, try size(c.capacity, "capacity"))
        epoch = c.describe_epoch
        metadata = c.metadata.array
    }

    func write(to c: inout Nephele__V1__DescribeReply, in arena: inout Arena) {
        c.has_instance_id = 1
        c.instance_id = arena.text(instanceID)
        c.has_service = 1
        c.service = arena.text(service)
        c.n_models = models.count
        c.models = arena.messages(models)
        c.has_shard = 1
        c.shard = UInt32(clamping: shard)
        c.has_shard_count = 1
        c.shard_count = UInt32(clamping: shardCount)
        c.has_first_layer = 1
        c.first_layer = UInt32(clamping: layers.lowerBound)
        c.has_layer_count = 1
        c.layer_count = UInt32(clamping: layers.count)
        c.has_capacity = 1
        c.capacity = capacity.wire
        c.has_describe_epoch = 1
        c.describe_epoch = epoch
        c.has_metadata = 1
        c.metadata = arena.bytes(metadata)
    }
}

extension ModelDescription: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__ModelDescription>) {
        nephele__v1__model_description__init(c)
    }

    init(reading c: Nephele__V1__ModelDescription) throws {
        name = try c.name.text("name")
        revision = try c.revision.text("revision")
        numericsID = try c.numerics_id.text("numerics_id")
        modality = try c.modality.text("modality")
        contextLength = try size(c.context_length, "context_length")
        metadata = c.metadata.array
        parent = c.has_parent != 0 ? try c.parent.text("parent") : nil
        tokenizerHash = try c.tokenizer_hash.text("tokenizer_hash")
        isRetiring = c.retiring != 0
    }

    func write(to c: inout Nephele__V1__ModelDescription, in arena: inout Arena) {
        c.has_name = 1
        c.name = arena.text(name)
        c.has_revision = 1
        c.revision = arena.text(revision)
        c.has_numerics_id = 1
        c.numerics_id = arena.text(numericsID)
        c.has_modality = 1
        c.modality = arena.text(modality)
        c.has_context_length = 1
        c.context_length = contextLength.wire
        c.has_metadata = 1
        c.metadata = arena.bytes(metadata)
        if let parent { (c.has_parent, c.parent) = (1, arena.text(parent)) }
        if !tokenizerHash.isEmpty { (c.has_tokenizer_hash, c.tokenizer_hash) = (1, arena.text(tokenizerHash)) }
        if isRetiring { (c.has_retiring, c.retiring) = (1, 1) }
    }
}
