package import ContentFilter

extension FilterPolicy {
    /// What may not be learned: sexual text about minors drops its record; personal data and secrets get the action.
    package static func training(_ action: Action) -> FilterPolicy {
        FilterPolicy(
            name: "training",
            rules: [
                Rule("minors", ["sexual/minors"], action: .block),
                Rule("secrets", ["secret/*"], action: action),
                Rule("personal-data", ["personal/*"], threshold: 0.8, action: action),
            ])
    }
}
