import ContentFilter
import Crypto
import Tokenizers

/// The first 128 bits of SHA-256 of a record: two records of one are the same.
struct RecordDigest: Hashable, Sendable {
    let high: UInt64
    let low: UInt64

    /// Room in a set whose tables double.
    static let bytesInSet = 48

    init(_ bytes: [UInt8]) {
        var words: [UInt64] = [0, 0]
        for (place, byte) in SHA256.hash(data: bytes).prefix(16).enumerated() {
            words[place / 8] = words[place / 8] << 8 | UInt64(byte)
        }
        (high, low) = (words[0], words[1])
    }
}

/// What a record looks like by itself.
struct LookedRecord: Sendable {
    var place = ""
    var record: DataRecord?
    /// Why the line cannot be read.
    var fault: String?
    /// Of its texts: as read, and as cleaned.
    var readBytes: Int
    var bytes = 0
    var removal: (step: Preparation.Step, reason: String)?
    var changes: [(step: Preparation.Step, reason: String)] = []
    var digest: RecordDigest?
    var signature: [UInt32]?
}

/// A record that goes into the output, or that the filter keeps out of it.
struct FinishedRecord: Sendable {
    var place: String
    var bytes: Int
    var removal: String?
    var changes: [String] = []
    var isHeldOut = false
    /// A line of JSON, or tokens.
    var line: [UInt8] = []
    var ids: [Int32] = []
}

/// What is done to a record by itself, on any thread.
struct RecordSteps: Sendable {
    let options: Preparation.Options
    let filter: ContentFilter?
    let overlap: EvaluationOverlap?
    let minHash: MinHash?
    let tokenizer: Tokenizer?

    /// The steps that need no other record.
    func look(at item: RecordReader.Item) -> LookedRecord {
        var looked = LookedRecord(readBytes: item.bytes.count)
        var record: DataRecord
        do throws(DataRecord.Fault) { record = try DataRecord(item, keeping: options.keptFields) } catch {
            looked.fault = error.clause
            return looked
        }
        func size() -> Int { record.texts.reduce(0) { $0 + $1.utf8.count } }
        looked.readBytes = size()
        if let cleaning = options.cleaning {
            var isChanged = false
            record = record.mapped { text in
                let clean = cleaning.cleaned(text)
                isChanged = isChanged || !clean.utf8.elementsEqual(text.utf8)
                return clean
            }
            if isChanged { looked.changes.append((.clean, "characters or line ends")) }
            looked.removal = cleaning.objection(to: record).map { (.clean, $0) }
        }
        if looked.removal == nil { apply(rules: options.rules, to: &record, &looked) }
        (looked.record, looked.bytes) = (record, size())
        guard looked.removal == nil else { return looked }
        if options.dropsExactDuplicates { looked.digest = RecordDigest(record.json) }
        guard overlap != nil || minHash != nil else { return looked }
        let units = TextUnits(record.texts.joined(separator: "\n"))
        if overlap?.touches(units) == true {
            looked.removal = (.exclude, "a run of words of a text that a model is judged by")
        } else if let nearness = options.nearness, units.count > 0 {
            looked.signature = minHash?.signature(of: units.shingles(nearness.shingle))
        }
        return looked
    }

    /// Rules about documents; samples are made by other rules than pages of the web.
    private func apply(rules: Set<Preparation.Rule>, to record: inout DataRecord, _ looked: inout LookedRecord) {
        guard record.form == .text, let text = record.texts.first else { return }
        var rest = text
        if rules.contains(.webPages) {
            switch WebPageRules.apply(text) {
            case .dropped(let reason):
                looked.removal = (.rules, "c4: " + reason)
                return
            case .kept(let kept):
                if kept != text { looked.changes.append((.rules, "c4: lines that are no sentences")) }
                rest = kept
            }
        }
        let units = TextUnits(rest)
        if rules.contains(.gopherQuality), let reason = GopherRules.quality(rest, units) {
            looked.removal = (.rules, "gopher-quality: " + reason)
        } else if rules.contains(.gopherRepetition), let reason = GopherRules.repetition(rest, units) {
            looked.removal = (.rules, "gopher-repetition: " + reason)
        }
        record = record.mapped { _ in rest }
    }

    /// The filter, and the form of the output.
    func finish(_ looked: LookedRecord) -> FinishedRecord {
        var finished = FinishedRecord(place: looked.place, bytes: looked.bytes)
        guard var record = looked.record else { return finished }
        if let filter { apply(filter, to: &record, &finished) }
        guard finished.removal == nil else { return finished }
        finished.bytes = record.texts.reduce(0) { $0 + $1.utf8.count }
        if options.heldOut > 0 {
            // 53 bits are exact in a double.
            let share = Double(RecordDigest(record.beginning).high >> 11) * 0x1p-53
            finished.isHeldOut = share < options.heldOut
        }
        if let tokenizer {
            finished.ids = tokenizer.encode(record.texts.first ?? "", addSpecialTokens: false)
            if let end = tokenizer.endOfText { finished.ids.append(end) }
        } else {
            finished.line = record.json + [UInt8(ascii: "\n")]
        }
        return finished
    }

    private func apply(_ filter: ContentFilter, to record: inout DataRecord, _ finished: inout FinishedRecord) {
        var changes: [String] = [], removal: String?
        func note(_ change: String) { if !changes.contains(change) { changes.append(change) } }
        record = record.mapped { text in
            let outcome = filter.check(text, .in)
            for hit in outcome.verdict.hits {
                switch hit.action {
                case .flag: note("flagged by \(hit.rule): \(hit.finding.category.rawValue)")
                case .redact: note("redacted by \(hit.rule): \(hit.finding.category.rawValue)")
                case .block: continue
                }
            }
            if let block = outcome.verdict.block, removal == nil {
                removal = "\(block.rule): \(block.finding.category.rawValue)"
            }
            return outcome.text
        }
        for string in record.otherStrings where removal == nil {
            // What is redacted in the arguments of a call may be no JSON any more.
            let hit = filter.check(string, .in).verdict.hits.first { $0.action > .flag }
            if let hit { removal = "\(hit.rule), in a field that is no text: \(hit.finding.category.rawValue)" }
        }
        finished.removal = removal
        finished.changes = removal == nil ? changes : []
    }
}

extension PreparationReport {
    mutating func skip(fault: String, bytes: Int, at place: String) {
        if steps.first?.step != "read" { steps.insert(Step(step: "read"), at: 0) }
        remove("read", "a line that cannot be read", bytes: bytes, at: place)
    }
}
