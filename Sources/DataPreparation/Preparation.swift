package import ContentFilter
import Crypto
import Foundation
import Tokenizers

/// A run over files: what is in them is cleaned, deduplicated, filtered, split and written.
///
/// The same bytes come out for any number of threads: records are looked at in parallel, a batch at a time, and decided about
/// and written in their order. Memory holds one batch, and what the steps remember of the records that stay.
package final class Preparation {
    package enum Rule: String, Sendable, CaseIterable, Codable {
        case gopherQuality = "gopher-quality"
        case gopherRepetition = "gopher-repetition"
        /// C4's.
        case webPages = "c4"
    }

    /// When two records are near each other.
    package struct Nearness: Sendable {
        /// The estimated Jaccard similarity of their shingles, at least.
        package var threshold = 0.8
        /// Units of a shingle.
        package var shingle = 5
        /// Places of a signature, a multiple of 16.
        package var permutations = 128

        package init() {}
    }

    package struct Options: Sendable {
        package var inputs: [String]
        package var output: String
        /// What all inputs hold; nil goes by their names.
        package var kind: InputFile.Kind?
        package var documents = RecordReader.Documents.blankLines
        /// Fields beside those that are known, which go on as they are.
        package var keptFields: Set<String> = []
        package var skipsBroken = false
        package var cleaning: Cleaning? = Cleaning()
        package var rules: Set<Rule> = []
        /// Files of texts that a model is to be judged by.
        package var exclude: [String] = []
        package var excludeLength = 13
        package var dropsExactDuplicates = true
        package var nearness: Nearness? = Nearness()
        package var policy: FilterPolicy?
        /// The share of prompts and documents that are held out, 0…1.
        package var heldOut = 0.0
        /// A directory whose tokenizer writes shards in the place of JSON Lines.
        package var tokenizer: String?
        package var shardTokens = 100_000_000
        /// Bytes that what is remembered of records may take.
        package var memory = 4 << 30
        package var threads = 1

        package init(inputs: [String], output: String) { (self.inputs, self.output) = (inputs, output) }
    }

    /// A step's name in the report.
    enum Step: String, CaseIterable { case clean, rules, exclude, exact, near, filter }

    let options: Options
    private let steps: RecordSteps
    private var seen = Set<RecordDigest>()
    private var index: NearIndex?
    private var form: DataRecord.Form?
    private(set) var report: PreparationReport

    /// Bytes and records that are looked at together.
    private static let batch = (bytes: 8 << 20, records: 4_096)
    /// Faults that an error names one by one.
    private static let named = 5

    /// - Throws: `DataError` for options that do not go together and files that cannot be read.
    package init(_ options: Options) throws(DataError) {
        self.options = options
        if let nearness = options.nearness {
            let banding = Banding(threshold: nearness.threshold, places: nearness.permutations)
            index = NearIndex(places: nearness.permutations, banding: banding, threshold: nearness.threshold)
        }
        let filter: ContentFilter?, tokenizer: Tokenizer?
        do { filter = try options.policy.map { try ContentFilter($0) } } catch {
            throw DataError(.invalidOption, "the filter's policy: \(error)")
        }
        do {
            tokenizer = try options.tokenizer.map { path throws(TokenizerError) in try Tokenizer(directory: path) }
        } catch {
            throw DataError(.invalidOption, error.message)
        }
        if let tokenizer, tokenizer.endOfText == nil {
            throw DataError(
                .unsupported, "\(options.tokenizer ?? "") names no end token (eos_token), by which documents are parted"
            )
        }
        steps = RecordSteps(
            options: options, filter: filter, overlap: options.exclude.isEmpty ? nil : try Self.overlap(options),
            minHash: options.nearness.map { MinHash(count: $0.permutations) }, tokenizer: tokenizer)
        let names = Step.allCases.filter { step in
            switch step {
            case .clean: options.cleaning != nil
            case .rules: !options.rules.isEmpty
            case .exclude: !options.exclude.isEmpty
            case .exact: options.dropsExactDuplicates
            case .near: options.nearness != nil
            case .filter: options.policy != nil
            }
        }
        report = PreparationReport(inputs: options.inputs, steps: names.map(\.rawValue))
    }

    private static func overlap(_ options: Options) throws(DataError) -> EvaluationOverlap {
        var overlap = EvaluationOverlap(length: options.excludeLength)
        let reader = RecordReader(options.exclude, kind: nil, documents: .blankLines)
        while let item = try reader.batch(bytes: 1, count: 1).first {
            do throws(DataRecord.Fault) {
                for text in try DataRecord(item, keeping: []).texts {
                    do throws(DataError) { try overlap.add(text) } catch { throw .init(clause: error.message) }
                }
            } catch {
                throw DataError(.invalidData, "\(options.exclude[item.file]): line \(item.line): \(error.clause)")
            }
        }
        guard overlap.texts > overlap.tooShort else {
            throw DataError(
                .invalidData,
                "of the \(overlap.texts) texts of --exclude none has \(EvaluationOverlap.shortest) words or more: nothing could be found"
            )
        }
        return overlap
    }

    /// - Parameter progress: told the bytes and records read, after each batch.
    /// - Throws: `DataError`; then nothing is at the output.
    package func run(_ progress: (Int, Int) -> Void = { _, _ in }) throws(DataError) -> PreparationReport {
        let directory = try OutputDirectory(options.output)
        do throws(DataError) {
            try write(into: directory, progress)
            try directory.commit()
        } catch {
            directory.discard()
            throw error
        }
        return report
    }

    private func write(into directory: OutputDirectory, _ progress: (Int, Int) -> Void) throws(DataError) {
        let reader = RecordReader(options.inputs, kind: options.kind, documents: options.documents)
        let train = try RecordWriter("train", directory, steps.tokenizer, options)
        let heldOut = options.heldOut > 0 ? try RecordWriter("held-out", directory, steps.tokenizer, options) : nil
        var faults: [String] = []
        while true {
            let items = try reader.batch(bytes: Self.batch.bytes, count: Self.batch.records)
            guard !items.isEmpty else { break }
            let looked = Parallel.map(items, threads: options.threads) { [steps] in steps.look(at: $0) }
            var kept: [LookedRecord] = []
            for (item, outcome) in zip(items, looked) {
                try decide(outcome, place(item), &kept, &faults)
            }
            if faults.count >= Self.named { break }
            let finished = Parallel.map(kept, threads: options.threads) { [steps] in steps.finish($0) }
            for record in finished { try write(record, train, heldOut) }
            progress(reader.bytesRead, report.read.records)
        }
        guard faults.isEmpty else {
            throw DataError(
                .invalidData,
                "lines that cannot be read:\n" + faults.prefix(Self.named).joined(separator: "\n")
                    + "\n--skip-broken leaves such lines out")
        }
        try closeReport(directory, train, heldOut)
    }

    private func place(_ item: RecordReader.Item) -> String { "\(options.inputs[item.file]):\(item.line)" }

    /// In the order of the files: what stays goes to `kept`.
    private func decide(
        _ looked: LookedRecord, _ place: String, _ kept: inout [LookedRecord], _ faults: inout [String]
    ) throws(DataError) {
        var looked = looked
        looked.place = place
        report.read.records += 1
        report.read.bytes += looked.readBytes
        var fault = looked.fault
        if fault == nil, let own = looked.record?.form {
            form = form ?? own
            if own != form {
                fault =
                    "has the form «\(own.rawValue)», and lines before have «\(form?.rawValue ?? "")»; prepare them apart"
            } else if options.tokenizer != nil, own != .text {
                throw DataError(
                    .unsupported,
                    "\(place) has the form «\(own.rawValue)»; shards of tokens are of texts: which of its tokens are learned "
                        + "is the trainer's to say, so leave --tokenizer out")
            }
        }
        if let fault {
            faults += options.skipsBroken ? [] : ["\(place): \(fault)"]
            report.skip(fault: fault, bytes: looked.readBytes, at: place)
            return
        }
        for name in looked.record?.leftOut ?? [] { report.leaveOut(field: name) }
        for change in looked.changes {
            report.change(change.step.rawValue, change.reason, bytes: looked.bytes, at: place)
        }
        if let removal = looked.removal {
            report.remove(removal.step.rawValue, removal.reason, bytes: looked.bytes, at: place)
            return
        }
        if options.dropsExactDuplicates, let digest = looked.digest, !seen.insert(digest).inserted {
            report.remove(Step.exact.rawValue, "the same as one before", bytes: looked.bytes, at: place)
            return
        }
        if let signature = looked.signature, index?.near(signature) != nil {
            report.remove(Step.near.rawValue, "near one before", bytes: looked.bytes, at: place)
            return
        }
        if let signature = looked.signature { index?.add(signature) }
        try checkMemory()
        kept.append(looked)
    }

    /// - Throws: `DataError.outOfMemory` before what is remembered takes more than it may.
    private func checkMemory() throws(DataError) {
        let used = (index.map { $0.count * $0.bytesPerEntry } ?? 0) + seen.count * RecordDigest.bytesInSet
        guard used > options.memory else { return }
        throw DataError(
            .outOfMemory,
            "what is remembered of \(report.read.records) records takes \(used >> 20) MiB, more than --memory "
                + "\(options.memory >> 20) MiB; give more, fewer --permutations, --duplicates exact, or less data at once"
        )
    }

    private func write(
        _ finished: FinishedRecord, _ train: RecordWriter, _ heldOut: RecordWriter?
    ) throws(DataError) {
        for change in finished.changes {
            report.change(Step.filter.rawValue, change, bytes: finished.bytes, at: finished.place)
        }
        if let removal = finished.removal {
            return report.remove(Step.filter.rawValue, removal, bytes: finished.bytes, at: finished.place)
        }
        if let heldOut, finished.isHeldOut {
            try heldOut.write(finished)
        } else {
            try train.write(finished)
        }
    }

    private func closeReport(
        _ directory: OutputDirectory, _ train: RecordWriter, _ heldOut: RecordWriter?
    ) throws(DataError) {
        report.form = form
        report.train = try train.close()
        report.heldOut = try heldOut?.close()
        if let overlap = steps.overlap, overlap.tooShort > 0 {
            report.notes.append(
                "\(overlap.tooShort) of \(overlap.texts) texts of --exclude have fewer than \(EvaluationOverlap.shortest) "
                    + "words and were not looked for")
        }
        if let cut = index?.cutChains, cut > 0 {
            report.notes.append("\(cut) records were compared with 10,000 of their candidates, not with all")
        }
        guard report.train.records > 0 else {
            throw DataError(.invalidData, "nothing is left to train on, and nothing was written\n" + report.text)
        }
        do {
            let json = try directory.file("report.json"), text = try directory.file("report.txt")
            try json.write(Array(try report.json))
            try text.write(Array(report.text.utf8))
            _ = try json.close()
            _ = try text.close()
        } catch let error as DataError {
            throw error
        } catch { throw DataError(.unwritable, "the report: \(error)") }
    }
}
