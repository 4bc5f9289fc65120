internal import ConfigurationFiles
package import Foundation
internal import Watermarking

/// The label policies of a gateway: what holds by itself, and what routes call by name.
package struct LabelSet: Sendable {
    /// Where a route names none.
    package private(set) var standard = LabelPolicy.standard
    private var named: [String: LabelPolicy] = [:]
    /// The files that it was read from, those of keys and certificates among them.
    package private(set) var files: [String] = []

    /// Without a file: metadata in pictures, and nothing else.
    package init() {}

    /// `default`, `off`, or the path of a YAML file.
    ///
    /// - Throws: `ConfigurationError` with the line at fault.
    package init(_ choice: String) throws {
        guard !["default", "off"].contains(choice) else {
            self.init()
            if choice == "off" { standard = .off }
            return
        }
        try self.init(try YAMLValue.text(of: choice), file: choice)
        files.insert(choice, at: 0)
    }

    /// - Parameter file: what errors name, and where relative paths begin.
    package init(_ text: String, file: String) throws {
        guard let document = try YAMLValue.parse(text, file: file) else { return }
        let fields = try document.fields(["labels", "policies"])
        var reader = LabelReader(folder: (file as NSString).deletingLastPathComponent)
        if let value = fields["labels"] { try reader.read(value, into: &standard) }
        for (name, value) in try fields["policies"]?.entries() ?? [] {
            let text = try name.string("a policy's name")
            guard !["off", "default"].contains(text) else {
                throw name.error("'\(text)' is there by itself; give the policy another name")
            }
            var policy = standard
            try reader.read(value, into: &policy)
            named[text] = policy
        }
        files = reader.files
    }

    /// The policy that a route names; nil for a name that nothing bears.
    package func policy(named name: String?) -> LabelPolicy? {
        switch name {
        case nil, "default": standard
        case "off": .off
        case let name?: named[name]
        }
    }

    /// Every key that text may have been marked under, those that mark by themselves first.
    package var watermarkKeys: [Watermark.Key] {
        var seen: Set<Watermark.Key> = []
        return policies.flatMap { $0.text.watermark?.keys ?? [] }.filter { seen.insert($0).inserted }
    }

    private var policies: [LabelPolicy] { [standard] + named.sorted { $0.key < $1.key }.map(\.value) }

    private var credentials: [ContentCredentials] { policies.compactMap(\.pictures.credentials) }

    /// Reads manifests, and trusts those that one of the policies signs.
    package var credentialsReader: CredentialsReader { CredentialsReader(trusting: credentials) }

    /// The names that pictures' metadata has.
    package var producers: Set<String> { Set(policies.compactMap(\.pictures.metadata?.producer)) }

    package var notices: [TextNotice] { policies.compactMap(\.text.notice) }

    /// What has become wrong with certificates since they were read; nil where nothing has.
    package func fault(at now: Date) -> String? { credentials.lazy.compactMap { $0.fault(at: now) }.first }

    /// What will become wrong with them within a month.
    package func warning(at now: Date) -> String? { credentials.lazy.compactMap { $0.warning(at: now) }.first }

    /// The threshold of the first policy that has a watermark; nil where none has.
    package var watermarkThreshold: Double? {
        policies.lazy.compactMap { $0.text.watermark?.threshold }.first
    }
}

/// Reads policies, and the files that they name.
struct LabelReader {
    let folder: String
    private(set) var files: [String] = []

    init(folder: String) { self.folder = folder }

    /// What a value says takes the place of what the policy said.
    mutating func read(_ value: YAMLValue, into policy: inout LabelPolicy) throws {
        if value.isOff {
            policy = .off
            return
        }
        let fields = try value.fields(["pictures", "text"])
        if let value = fields["pictures"] { try read(value, into: &policy.pictures) }
        guard let text = fields["text"] else { return }
        let parts = try text.isOff ? ["notice": text, "watermark": text] : text.fields(["notice", "watermark"])
        if let value = parts["notice"] { policy.text.notice = try notice(value) }
        if let value = parts["watermark"] { policy.text.watermark = try watermark(value) }
    }

    private mutating func read(_ value: YAMLValue, into pictures: inout LabelPolicy.Pictures) throws {
        if value.isOff {
            pictures = LabelPolicy.Pictures()
            return
        }
        let fields = try value.fields(["aigc", "parameters", "c2pa", "mark"])
        if let value = fields["aigc"] { pictures.metadata = try metadata(value) }
        if let value = fields["parameters"] { pictures.parameters = try value.choice() }
        if let value = fields["c2pa"] { pictures.credentials = try value.isOff ? nil : credentials(value) }
        if let value = fields["mark"] { pictures.isMarked = try value.isOn() }
    }

    private func metadata(_ value: YAMLValue) throws -> AIGCMetadata? {
        if value.isScalar { return try value.isOn() ? .standard : nil }
        let fields = try value.fields(["producer", "propagator"])
        return AIGCMetadata(
            producer: try fields["producer"]?.words(limit: 256) ?? AIGCMetadata.standard.producer,
            propagator: try fields["propagator"]?.words(limit: 256) ?? "")
    }

    private mutating func credentials(_ value: YAMLValue) throws -> ContentCredentials {
        let fields = try value.fields(["certificates", "key", "expired"])
        guard let certificates = fields["certificates"], let key = fields["key"] else {
            throw value.error("'c2pa' needs 'certificates' and 'key', two PEM files")
        }
        do {
            var credentials = try ContentCredentials(certificates: path(certificates), key: path(key))
            if let value = fields["expired"] {
                let choice = try value.string("unsigned or withheld")
                guard ["unsigned", "withheld"].contains(choice) else {
                    throw value.error("'\(choice.prefix(40))' is neither unsigned nor withheld")
                }
                credentials.isWithheldWhenExpired = choice == "withheld"
            }
            return credentials
        } catch let error as LabelError {
            throw value.error(error.message)
        }
    }

    private func notice(_ value: YAMLValue) throws -> TextNotice? {
        if value.isScalar { return try value.isOn() ? TextNotice() : nil }
        var notice = TextNotice()
        let fields = try value.fields(["place", "en", "zh"])
        if let value = fields["place"] { notice.place = try value.choice() }
        if let value = fields["en"] { notice.english = try value.words(limit: 1_024) }
        if let value = fields["zh"] { notice.chinese = try value.words(limit: 1_024) }
        return notice
    }

    private mutating func watermark(_ value: YAMLValue) throws -> Watermark? {
        if value.isOff { return nil }
        let fields = try value.fields(["keys", "gamma", "delta", "context", "threshold"])
        guard let keys = fields["keys"]?.oneOrMany(), (1...Watermark.keyLimit).contains(keys.count) else {
            throw value.error("'watermark' needs 'keys': 1 to \(Watermark.keyLimit) files that hold a secret each")
        }
        let gamma = try fields["gamma"]?.number(0.01...0.99) ?? 0.25
        let delta = try fields["delta"]?.number(0.1...Double(GreenList.deltaLimit)) ?? 2
        let width = try fields["context"]?.int(1...GreenList.contextLimit) ?? 1
        return Watermark(
            keys: try keys.map { key in
                try Watermark.key(secret: secret(key), gamma: gamma, delta: delta, contextWidth: width)
            }, threshold: try fields["threshold"]?.number(1...37) ?? 4)
    }

    /// A file's first line.
    private mutating func secret(_ value: YAMLValue) throws -> [UInt8] {
        let file = try path(value)
        let text: String
        do { text = try YAMLValue.text(of: file) } catch { throw value.error("\(error)") }
        let line = text.split(whereSeparator: \.isNewline).first ?? ""
        guard line.utf8.count >= GreenList.keyLength else {
            throw value.error(
                "\(file): a secret has at least \(GreenList.keyLength) bytes on its first line; "
                    + "`openssl rand -hex 32` makes one")
        }
        return Array(line.utf8)
    }

    private mutating func path(_ value: YAMLValue) throws -> String {
        let path = try value.string("a path")
        let whole = path.hasPrefix("/") || folder.isEmpty ? path : folder + "/" + path
        files.append(whole)
        return whole
    }
}

extension YAMLValue {
    fileprivate var isOff: Bool { isScalar && (try? string()) == "off" }

    fileprivate func isOn() throws -> Bool {
        let text = try string("on or off")
        guard ["on", "off"].contains(text) else { throw error("'\(text.prefix(40))' is neither on nor off") }
        return text == "on"
    }

    fileprivate func words(limit: Int) throws -> String {
        let text = try string()
        guard (1...limit).contains(text.utf8.count) else {
            throw error("a text of 1 to \(limit) bytes is expected here; it has \(text.utf8.count)")
        }
        return text
    }
}
