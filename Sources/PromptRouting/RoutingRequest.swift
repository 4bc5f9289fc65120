/// A request, as far as routing looks at it.
package struct RoutingRequest: Sendable {
    /// The route of the API that it came by.
    package enum Kind: String, Sendable, CaseIterable { case chat, completion, image, embedding }

    package var kind: Kind
    /// As the client named it.
    package var model: String
    /// What the user wants: the last user message, the prompt.
    package var text: String
    /// Characters of the whole prompt, earlier turns included.
    package var length: Int
    /// Who asks, so that the same user gets the same of several models; nil where nobody is named.
    package var user: String?
    /// The name of the key that the request came with.
    package var key: String?
    /// A number in 0..<1, for weights where no user is named; nil for a random one.
    package var chance: Double?

    package init(
        kind: Kind, model: String, text: String, length: Int? = nil, user: String? = nil, key: String? = nil,
        chance: Double? = nil
    ) {
        (self.kind, self.model, self.text, self.length) = (kind, model, text, length ?? text.unicodeScalars.count)
        (self.user, self.key, self.chance) = (user, key, chance)
    }

    /// What patterns are matched against: the beginning of a long text.
    var opening: [UInt8] {
        let limit = 4_096
        var bytes = Array(text.utf8.prefix(limit + 4))
        guard bytes.count > limit else { return bytes }
        var end = limit
        while end > 0, bytes[end] & 0xC0 == 0x80 { end -= 1 }
        bytes.removeSubrange(end...)
        return bytes
    }
}
