/// A model in the hub: `ORG/NAME`, then `@REVISION` and `:WHICH` where they are given.
package struct HubReference: Sendable, Hashable {
    package static let scheme = "hf:"
    static let standardRevision = "main"

    /// `ORG/NAME`; of the oldest models only `NAME`.
    package let repository: String
    /// A branch, a tag, or a commit.
    package let revision: String
    /// What of the repository is meant: a quantization (`Q4_K_M`) or a file's path; nil for the model that it holds.
    package let selection: String?

    /// - Parameter text: as above, with or without `hf:`; `ORG/NAME/FILE` is `ORG/NAME:FILE`.
    /// - Throws: `HubError.invalidName` that says how a model is named.
    package init(_ text: String, revision given: String? = nil) throws(HubError) {
        let own = text.hasPrefix(Self.scheme) ? String(text.dropFirst(Self.scheme.count)) : text
        let name = own.prefix { $0 != "@" && $0 != ":" }
        let rest = own.dropFirst(name.count)
        var selection = rest.firstIndex(of: ":").map { String(rest[rest.index(after: $0)...]) }
        let revision = rest.prefix { $0 != ":" }.dropFirst()
        let parts = name.split(separator: "/", omittingEmptySubsequences: false).map { String($0) }
        if parts.count > 2, selection == nil { selection = parts.dropFirst(2).joined(separator: "/") }
        guard parts.count <= 2 || rest.isEmpty, parts.prefix(2).allSatisfy(Self.isName),
            !rest.hasPrefix("@") || !revision.isEmpty, selection.map(HubFile.isSafe) ?? true
        else {
            throw HubError(
                .invalidName,
                "'\(text.prefix(200).printable)' names no model of the hub; write ORG/NAME, ORG/NAME@REVISION or "
                    + "ORG/NAME-GGUF:Q4_K_M")
        }
        repository = parts.prefix(2).joined(separator: "/")
        self.selection = selection
        guard given == nil || revision.isEmpty || given == String(revision) else {
            throw HubError(
                .invalidName, "'\(text)' names the revision \(revision), and --revision names \(given ?? "")")
        }
        self.revision = given ?? (revision.isEmpty ? Self.standardRevision : String(revision))
        guard Self.isRevision(self.revision) else {
            throw HubError(.invalidName, "'\(self.revision.prefix(200).printable)' is no branch, tag or commit")
        }
    }

    /// What the model is served as: the repository's name without `-GGUF`, or the file's.
    package var servedName: String {
        let name = repository.split(separator: "/").last.map { String($0) } ?? repository
        if let selection, selection.hasSuffix(".gguf") {
            let file = selection.split(separator: "/").last.map { String($0) } ?? selection
            return GGUFName(file).stem
        }
        return name.lowercased().hasSuffix("-gguf") ? String(name.dropLast(5)) : name
    }

    /// As it is typed.
    package var description: String {
        repository + (revision == Self.standardRevision ? "" : "@" + revision) + (selection.map { ":" + $0 } ?? "")
    }

    /// As the hub has it: letters, digits, `-`, `_`, `.`; no two dashes or points together, none at an end.
    private static func isName(_ part: String) -> Bool {
        let bytes = Array(part.utf8)
        guard (1...96).contains(bytes.count), let first = part.first, let last = part.last else { return false }
        let isAllowed = bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): true
            default: false
            }
        }
        return isAllowed && !"-.".contains(first) && !"-.".contains(last) && !part.contains("--")
            && !part.contains("..") && !part.hasSuffix(".git")
    }

    /// A name that is a path of the cache too.
    static func isRevision(_ text: String) -> Bool {
        text.utf8.count <= 250 && HubFile.isSafe(text) && !text.contains(":") && !text.contains(" ")
    }

    /// Whether a text is a commit's hash, which never means anything else.
    static func isCommit(_ text: String) -> Bool { text.utf8.count == 40 && text.isLowercaseHexadecimal }
}

extension String {
    var isLowercaseHexadecimal: Bool {
        !isEmpty
            && utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }

}

extension StringProtocol {
    /// For messages: what others have written may hold control characters.
    var printable: String {
        String(String.UnicodeScalarView(unicodeScalars.map { $0.properties.generalCategory == .control ? "?" : $0 }))
    }
}
