/// What a text may be found to hold: OpenAI's thirteen categories, and ours beside them.
package struct FilterCategory: RawRepresentable, Hashable, Sendable, Comparable {
    package var rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }

    package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }

    // MARK: OpenAI's

    package static let harassment = Self(rawValue: "harassment")
    package static let harassmentThreatening = Self(rawValue: "harassment/threatening")
    package static let hate = Self(rawValue: "hate")
    package static let hateThreatening = Self(rawValue: "hate/threatening")
    package static let illicit = Self(rawValue: "illicit")
    package static let illicitViolent = Self(rawValue: "illicit/violent")
    package static let selfHarm = Self(rawValue: "self-harm")
    package static let selfHarmIntent = Self(rawValue: "self-harm/intent")
    package static let selfHarmInstructions = Self(rawValue: "self-harm/instructions")
    package static let sexual = Self(rawValue: "sexual")
    package static let sexualMinors = Self(rawValue: "sexual/minors")
    package static let violence = Self(rawValue: "violence")
    package static let violenceGraphic = Self(rawValue: "violence/graphic")

    package static let openAI: [Self] = [
        .harassment, .harassmentThreatening, .hate, .hateThreatening, .illicit, .illicitViolent, .selfHarm,
        .selfHarmIntent, .selfHarmInstructions, .sexual, .sexualMinors, .violence, .violenceGraphic,
    ]

    // MARK: Ours

    /// Swearing at nobody.
    package static let profanity = Self(rawValue: "profanity")
    package static let promptInjection = Self(rawValue: "prompt-injection")
    package static let jailbreak = Self(rawValue: "jailbreak")
    package static let email = Self(rawValue: "personal/email")
    package static let phone = Self(rawValue: "personal/phone")
    package static let card = Self(rawValue: "personal/card")
    package static let iban = Self(rawValue: "personal/iban")
    package static let address = Self(rawValue: "personal/ip")
    package static let residentID = Self(rawValue: "personal/resident-id")
    package static let creditCode = Self(rawValue: "personal/credit-code")
    package static let secret = Self(rawValue: "secret/key")

    /// The category of patterns that only `MinorComposition` reads; no rule can name it.
    static let minor = Self(rawValue: "mention/minor")

    package static let all: [Self] =
        openAI + [
            .profanity, .promptInjection, .jailbreak, .email, .phone, .card, .iban, .address, .residentID, .creditCode,
            .secret,
        ]
}
