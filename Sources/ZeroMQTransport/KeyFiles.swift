internal import Foundation
internal import RPC
internal import ZeroMQ

/// `bus.key`: whose it is, the public and the secret half, a line each.
enum KeyFile {
    static let name = "bus.key"

    static func text(_ holder: String, _ pair: CurveKeyPair) -> String {
        """
        # The key pair of \(holder) on Nephele's bus. Whoever has this file is \(holder): keep it secret.
        name \(holder)
        public \(pair.publicKey)
        secret \(pair.secretText)

        """
    }

    /// - Throws: `RPCError` that never shows a secret.
    static func read(_ path: String) throws -> (holder: String, CurveKeyPair) {
        var fields: [String: String] = [:]
        for (number, words) in try KeyList.lines(path) {
            guard ["name", "public", "secret"].contains(words[0]), fields[words[0]] == nil else {
                throw KeyList.malformed(path, number, "a field that is none of name, public, secret, once each")
            }
            fields[words[0]] = words[1]
        }
        guard let holder = fields["name"], KeyList.isName(holder), let publicText = fields["public"],
            let secretText = fields["secret"],
            let pair = CurveKeyPair(publicText: publicText, secretText: secretText)
        else {
            throw RPCError(
                .invalidArgument,
                "\(path) is no key pair: it needs name, public and secret, and keys of 40 characters that belong "
                    + "together; make one with `nephele keys`", reason: "invalid_key", field: path)
        }
        return (holder, pair)
    }
}

/// `allowed.keys`: a name and a public key a line; lines that begin with # say something to people.
enum KeyList {
    static let name = "allowed.keys"
    private static let longestFile = 4 << 20

    static func text(_ list: BusKeys.List) -> String {
        "# Who may come in, and by which key each is known. `nephele keys` writes it; read again when it changes.\n"
            + list.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)\n" }.joined()
    }

    /// - Throws: `RPCError` that names file and line.
    static func read(_ path: String) throws -> BusKeys.List {
        var list: BusKeys.List = [:]
        for (number, words) in try lines(path) {
            guard isName(words[0]), let key = CurvePublicKey(words[1]) else {
                throw malformed(path, number, "no NAME and public key of 40 characters")
            }
            guard list.updateValue(key, forKey: words[0]) == nil else {
                throw malformed(path, number, "a second line for \(words[0])")
            }
        }
        return list
    }

    /// A service's name, host name or address.
    static func isName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 253 && name.first != "." && name.first != "#"
            && name.unicodeScalars.allSatisfy {
                ("a"..."z").contains($0) || ("A"..."Z").contains($0) || ("0"..."9").contains($0)
                    || "-._:[]".unicodeScalars.contains($0)
            }
    }

    /// The two words of each line that is neither empty nor a remark, with its number.
    static func lines(_ path: String) throws -> [(number: Int, words: [String])] {
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            throw RPCError(
                .notFound, "cannot read \(path): make keys with `nephele keys`, and see who may read them",
                reason: "no_keys", field: path)
        }
        guard data.count <= longestFile, let text = String(validating: data, as: UTF8.self) else {
            throw RPCError(.invalidArgument, "\(path) is no text of at most 4 MiB", reason: "invalid_key", field: path)
        }
        var lines: [(number: Int, words: [String])] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.split(whereSeparator: \.isWhitespace).map { String($0) }
            guard let first = words.first, first.first != "#" else { continue }
            guard words.count == 2 else { throw malformed(path, index + 1, "\(words.count) words where 2 belong") }
            lines.append((index + 1, words))
        }
        return lines
    }

    static func malformed(_ path: String, _ line: Int, _ what: String) -> RPCError {
        RPCError(.invalidArgument, "\(path), line \(line): \(what)", reason: "invalid_key", field: path)
    }
}
