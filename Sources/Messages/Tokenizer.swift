internal import CMessages

/// The tokenizer service.
package enum TokenizerMethods {
    package static let service = ServiceSchema(nephele__v1__tokenizer__descriptor)
    package static let encode = Method<EncodeRequest, TokensReply>(service, "Encode", .unary)
    package static let renderChat = Method<RenderChatRequest, TokensReply>(service, "RenderChat", .unary)
    package static let decode = Method<DecodeRequest, TextReply>(service, "Decode", .unary)
    package static let reload = Method<ReloadRequest, ReloadReply>(service, "Reload", .unary)
}

/// A text to be encoded.
package struct EncodeRequest: BusMessage {
    package var model: String
    package var text: String
    package var addSpecialTokens: Bool

    package init(model: String, text: String, addSpecialTokens: Bool) {
        (self.model, self.text, self.addSpecialTokens) = (model, text, addSpecialTokens)
    }

    package static let codec = MessageCodec(Self.self)
}

extension EncodeRequest: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__EncodeRequest>) {
        nephele__v1__encode_request__init(c)
    }

    init(reading c: Nephele__V1__EncodeRequest) throws {
        model = try c.model.text("model")
        text = try c.text.text("text")
        addSpecialTokens = c.add_special_tokens != 0
    }

    func write(to c: inout Nephele__V1__EncodeRequest, in arena: inout Arena) {
        c.has_model = 1
        c.model = arena.text(model)
        c.has_text = 1
        c.text = arena.text(text)
        c.has_add_special_tokens = 1
        c.add_special_tokens = addSpecialTokens ? 1 : 0
    }
}

/// One message of a conversation.
package struct ChatTurn: Sendable, Equatable {
    package var role: String
    package var content: String

    package init(role: String, content: String) {
        (self.role, self.content) = (role, content)
    }
}

extension ChatTurn: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__ChatTurn>) { nephele__v1__chat_turn__init(c) }

    init(reading c: Nephele__V1__ChatTurn) throws {
        role = try c.role.text("role")
        content = try c.content.text("content")
    }

    func write(to c: inout Nephele__V1__ChatTurn, in arena: inout Arena) {
        c.has_role = 1
        c.role = arena.text(role)
        c.has_content = 1
        c.content = arena.text(content)
    }
}

/// A conversation to be rendered in the model's own template.
package struct RenderChatRequest: BusMessage {
    package var model: String
    package var messages: [ChatTurn]
    package var addGenerationPrompt: Bool

    package init(model: String, messages: [ChatTurn], addGenerationPrompt: Bool = true) {
        (self.model, self.messages, self.addGenerationPrompt) = (model, messages, addGenerationPrompt)
    }

    package static let codec = MessageCodec(Self.self)
}

extension RenderChatRequest: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__RenderChatRequest>) {
        nephele__v1__render_chat_request__init(c)
    }

    init(reading c: Nephele__V1__RenderChatRequest) throws {
        model = try c.model.text("model")
        messages = try readAll(ChatTurn.self, c.messages, c.n_messages)
        addGenerationPrompt = c.add_generation_prompt != 0
    }

    func write(to c: inout Nephele__V1__RenderChatRequest, in arena: inout Arena) {
        c.has_model = 1
        c.model = arena.text(model)
        c.n_messages = messages.count
        c.messages = arena.messages(messages)
        c.has_add_generation_prompt = 1
        c.add_generation_prompt = addGenerationPrompt ? 1 : 0
    }
}

/// Token ids, and the hash of the tokenizer that they belong to.
package struct TokensReply: BusMessage {
    package var ids: [Int32]
    package var tokenizerHash: String

    package init(ids: [Int32], tokenizerHash: String) {
        (self.ids, self.tokenizerHash) = (ids, tokenizerHash)
    }

    package static let codec = MessageCodec(Self.self)
}

extension TokensReply: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__TokensReply>) { nephele__v1__tokens_reply__init(c) }

    init(reading c: Nephele__V1__TokensReply) throws {
        ids = readAll(c.ids, c.n_ids)
        tokenizerHash = try c.tokenizer_hash.text("tokenizer_hash")
    }

    func write(to c: inout Nephele__V1__TokensReply, in arena: inout Arena) {
        c.n_ids = ids.count
        c.ids = arena.numbers(ids)
        c.has_tokenizer_hash = 1
        c.tokenizer_hash = arena.text(tokenizerHash)
    }
}

/// Ids to be decoded.
package struct DecodeRequest: BusMessage {
    package var model: String
    package var ids: [Int32]
    package var skipSpecialTokens: Bool

    package init(model: String, ids: [Int32], skipSpecialTokens: Bool = true) {
        (self.model, self.ids, self.skipSpecialTokens) = (model, ids, skipSpecialTokens)
    }

    package static let codec = MessageCodec(Self.self)
}

extension DecodeRequest: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__DecodeRequest>) {
        nephele__v1__decode_request__init(c)
    }

    init(reading c: Nephele__V1__DecodeRequest) throws {
        model = try c.model.text("model")
        ids = readAll(c.ids, c.n_ids)
        skipSpecialTokens = c.skip_special_tokens != 0
    }

    func write(to c: inout Nephele__V1__DecodeRequest, in arena: inout Arena) {
        c.has_model = 1
        c.model = arena.text(model)
        c.n_ids = ids.count
        c.ids = arena.numbers(ids)
        c.has_skip_special_tokens = 1
        c.skip_special_tokens = skipSpecialTokens ? 1 : 0
    }
}

/// A text.
package struct TextReply: BusMessage {
    package var text: String

    package init(text: String) { self.text = text }

    package static let codec = MessageCodec(Self.self)
}

extension TextReply: CCodable {
    static func initialize(_ c: UnsafeMutablePointer<Nephele__V1__TextReply>) { nephele__v1__text_reply__init(c) }

    init(reading c: Nephele__V1__TextReply) throws { text = try c.text.text("text") }

    func write(to c: inout Nephele__V1__TextReply, in arena: inout Arena) {
        c.has_text = 1
        c.text = arena.text(text)
    }
}
