/// What a file's C2PA manifest says, and whether it holds.
package struct CredentialsReport: Sendable, Equatable {
    package enum State: String, Sendable {
        /// Signed by one of the operator's own certificates, and nothing was changed.
        case trusted
        /// Signed by somebody else, and nothing was changed.
        case valid
        case invalid
        case notPresent = "not_present"
    }

    package var state: State
    /// Why it does not hold, as a clause.
    package var reason: String?
    /// The organization, or else the name, that the signer's certificate is of.
    package var issuer: String?
    /// What generated the content.
    package var model: String?
    /// RFC 3339, as the manifest has it.
    package var generatedAt: String?
    /// Whether the manifest says that a model generated the content.
    package var isGenerated = false

    init(_ state: State) { self.state = state }
}

/// What is wrong with a manifest, as a clause.
struct CredentialsFlaw: Error, Equatable {
    let clause: String

    init(_ clause: String) { self.clause = clause }
}
