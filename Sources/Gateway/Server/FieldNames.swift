import Hummingbird

/// Header fields for which HTTP's own list has no names.
enum FieldName {
    typealias Name = HTTPFields.Element.Name

    static let requestID = Name("x-request-id")
    /// As Anthropic's clients read it.
    static let anthropicRequestID = Name("request-id")
    /// Which only Anthropic's clients send.
    static let anthropicVersion = Name("anthropic-version")
    static let traceparent = Name("traceparent")
    static let timeout = Name("x-request-timeout-ms")
    static let shouldRetry = Name("x-should-retry")
    /// Every field, for the list of those that browsers may send.
    static let any = Name("*")
    static let route = Name("x-nephele-route")
    static let buffering = Name("x-accel-buffering")
    /// As Azure's and Anthropic's clients send a key.
    static let keys = [Name("api-key"), Name("x-api-key")]

    static let requestLimit = Name("x-ratelimit-limit-requests")
    static let requestsLeft = Name("x-ratelimit-remaining-requests")
    static let requestReset = Name("x-ratelimit-reset-requests")
    static let tokenLimit = Name("x-ratelimit-limit-tokens")
    static let tokensLeft = Name("x-ratelimit-remaining-tokens")
    static let tokenReset = Name("x-ratelimit-reset-tokens")
}

extension HTTPFields {
    /// A field by a name of ours.
    subscript(own name: Element.Name?) -> String? {
        get { name.flatMap { self[$0] } }
        set { if let name { self[name] = newValue } }
    }
}
