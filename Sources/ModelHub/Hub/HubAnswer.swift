internal import JSON

/// What the hub's answers say. They are bytes from outside: whatever is in them is checked here.
package enum HubAnswer {
    /// Files that a repository may have.
    static let fileLimit = 100_000
    /// Bytes of one file, a quarter of which no file that is known has.
    static let sizeLimit = 1 << 50

    /// The commit that a revision is, of `GET /api/models/ORG/NAME/revision/REVISION`.
    ///
    /// - Throws: `HubError.malformed`.
    package static func commit(_ bytes: [UInt8]) throws(HubError) -> String {
        guard let sha = try document(bytes)["sha"]?.text, HubReference.isCommit(sha) else {
            throw HubError(
                .malformed, "the hub's answer about the revision has no commit (\"sha\", 40 hexadecimal digits)")
        }
        return sha
    }

    /// One page of `GET /api/models/ORG/NAME/tree/COMMIT?recursive=true`.
    ///
    /// - Throws: `HubError.malformed` that names the file at fault.
    package static func files(_ bytes: [UInt8]) throws(HubError) -> [HubFile] {
        guard let entries = try document(bytes).elements else {
            throw HubError(.malformed, "the hub's list of files is no list")
        }
        var files: [HubFile] = []
        for entry in entries {
            guard let type = entry["type"]?.text, let path = entry["path"]?.text else {
                throw HubError(.malformed, "an entry of the hub's list of files has no \"type\" or no \"path\"")
            }
            if type == "file" { files.append(try file(entry, path)) }
        }
        return files
    }

    private static func file(_ entry: JSONValue, _ path: String) throws(HubError) -> HubFile {
        func fault(_ what: String) -> HubError {
            HubError(.malformed, "the hub's list of files has '\(path.prefix(200).printable)' \(what)")
        }
        guard HubFile.isSafe(path) else {
            throw fault("in it, which is no path below a folder; nothing is taken from it")
        }
        let large = entry["lfs"].flatMap { $0.isNull ? nil : $0 }
        guard case .number(let number)? = large?["size"] ?? entry["size"], let size = number.integer(Int.self),
            (0...sizeLimit).contains(size)
        else { throw fault("without a size") }
        if let large {
            guard let sha = large["oid"]?.text, sha.utf8.count == 64, sha.isLowercaseHexadecimal else {
                throw fault("without its SHA-256")
            }
            return HubFile(path: path, size: size, digest: .sha256(sha))
        }
        guard let oid = entry["oid"]?.text, HubReference.isCommit(oid) else { throw fault("without its hash") }
        return HubFile(path: path, size: size, digest: .gitBlob(oid))
    }

    private static func document(_ bytes: [UInt8]) throws(HubError) -> JSONValue {
        do throws(JSONError) { return try JSONParser.parse(bytes) } catch {
            throw HubError(.malformed, "the hub's answer is not JSON: \(error.problem.prefix(200))")
        }
    }

    /// The query of the next page's address, in a `Link` header (RFC 8288).
    package static func nextQuery(link header: String) -> String? {
        for link in header.split(separator: ",") {
            let parts = link.split(separator: ";").map { $0.drop { $0 == " " } }
            guard let target = parts.first, target.hasPrefix("<"), target.hasSuffix(">"),
                parts.dropFirst().contains(where: { $0 == "rel=\"next\"" || $0 == "rel=next" }),
                let query = target.firstIndex(of: "?")
            else { continue }
            return String(target[target.index(after: query)...].dropLast())
        }
        return nil
    }

    /// For how long a server asks to be left alone (RFC 9110, `Retry-After` in seconds), or until its quota is full again
    /// (`RateLimit: "api";r=0;t=55`).
    static func pause(retryAfter: String?, rateLimit: String?) -> Duration? {
        if let seconds = retryAfter.flatMap({ Int($0) }), (0...86_400).contains(seconds) { return .seconds(seconds) }
        let fields = (rateLimit ?? "").split { $0 == ";" || $0 == "," }
        guard let seconds = fields.first(where: { $0.hasPrefix("t=") }).flatMap({ Int($0.dropFirst(2)) }),
            (0...86_400).contains(seconds)
        else { return nil }
        return .seconds(seconds)
    }
}
