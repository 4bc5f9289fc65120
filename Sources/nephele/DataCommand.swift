import ArgumentParser
import Console
import ContentFilter
import DataPreparation
import Foundation

struct DataCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data",
        abstract: "Prepares training data: cleans, deduplicates, filters, keeps evaluations apart, splits.",
        discussion: """
            Reads JSON Lines ({"text": …} and what TRL's trainers take) and text, each also gzip'd. Writes train.jsonl, \
            held-out.jsonl and a report of what went and why to a directory that appears when all of it is done. Steps, in \
            their order: clean, rules, exclude, exact and near duplicates, filter, split.
            """)

    enum Duplicates: String, CaseIterable, ExpressibleByArgument { case none, exact, near }
    enum Filter: String, CaseIterable, ExpressibleByArgument { case off, redact, drop }

    @Argument(help: "Files: .jsonl, .ndjson, .json (JSON Lines), .txt, .text, .md (text); each also with .gz.")
    var inputs: [String]

    @Option(help: "The directory for what is written; it must not be there, or be empty.")
    var output: String

    @Option(help: "What all inputs hold, whatever their names: jsonl or text.")
    var format: InputFile.Kind?

    @Option(help: "Where a document of a text ends: at blank-lines, or at the end of files.")
    var documents: RecordReader.Documents = .blankLines

    @Option(help: "Further fields of JSON Lines that go on as they are, as a list; others are left out.")
    var keepFields: String?

    @Flag(help: "Leave out lines that cannot be read; otherwise they end the run.")
    var skipBroken = false

    @Flag(help: "Leave characters as they are and keep empty records.")
    var noClean = false

    @Option(help: "Unicode's normal form of texts: none, nfc or nfkc (default: nfc).")
    var normalForm: Cleaning.NormalForm?

    @Option(help: "Characters that a record has at least (default: 1).")
    var minCharacters: Int?

    @Option(help: "Characters that a record has at most.")
    var maxCharacters: Int?

    @Option(help: "Rules about documents, as a list: gopher-quality, gopher-repetition, c4.")
    var rules: String?

    @Option(
        help:
            "A file of texts that a model is to be judged by: documents that share a run of words go. May be repeated.")
    var exclude: [String] = []

    @Option(help: "Words in a row that are such a run; characters where a script sets no spaces (default: 13).")
    var excludeLength: Int?

    @Option(help: "Which duplicates go: none, exact or near (which are exact ones too).")
    var duplicates: Duplicates = .near

    @Option(help: "The estimated Jaccard similarity from which on two records are near (default: 0.8).")
    var threshold: Double?

    @Option(help: "Words of a shingle; characters where a script sets no spaces (default: 5).")
    var shingle: Int?

    @Option(help: "Permutations of a MinHash signature, a multiple of 16 (default: 128).")
    var permutations: Int?

    @Option(help: "Personal data and secrets: redact them, drop records that have any, or off (default: redact).")
    var filter: Filter?

    @Option(help: "Instead: a filter policy in YAML; its rules for direction in apply.")
    var filterPolicy: String?

    @Option(help: "The share of prompts and documents that is held out, by a hash of each.")
    var heldOut = 0.0

    @Option(
        help: "A directory with a tokenizer: write shards of tokens (Megatron-LM's form) in the place of JSON Lines.")
    var tokenizer: String?

    @Option(help: "Tokens after which another shard begins (default: 100000000).")
    var shardTokens: Int?

    @Option(help: "MiB that what is remembered of records may take.")
    var memory = 4_096

    @Option(help: "Threads (default: one for each core).")
    var threads: Int?

    @Flag(help: "Print the report as JSON.")
    var json = false

    func validate() throws {
        func check(_ holds: Bool, _ message: String) throws {
            guard holds else { throw ValidationError(message) }
        }
        try check(
            !noClean || normalForm == nil && minCharacters == nil && maxCharacters == nil,
            "--no-clean leaves --normal-form, --min-characters and --max-characters without effect; leave them out")
        try check(
            (minCharacters ?? 1) >= 1 && (maxCharacters ?? .max) >= (minCharacters ?? 1),
            "--min-characters \(minCharacters ?? 1) must be at least 1 and at most --max-characters")
        try check(
            duplicates == .near || threshold == nil && shingle == nil && permutations == nil,
            "--threshold, --shingle and --permutations are of --duplicates near")
        try check((0.1...1).contains(threshold ?? 0.8), "--threshold \(threshold ?? 0) is outside 0.1…1")
        try check((1...100).contains(shingle ?? 5), "--shingle \(shingle ?? 0) is outside 1…100")
        try check(
            (16...1_024).contains(permutations ?? 128) && (permutations ?? 128) % 16 == 0,
            "--permutations \(permutations ?? 0) is no multiple of 16 in 16…1024")
        try check(excludeLength == nil || !exclude.isEmpty, "--exclude-length is of --exclude, which is not given")
        try check(
            (EvaluationOverlap.shortest...100).contains(excludeLength ?? 13),
            "--exclude-length \(excludeLength ?? 0) is outside \(EvaluationOverlap.shortest)…100")
        try check((0..<1).contains(heldOut), "--held-out \(heldOut) is outside 0…1, 1 left out")
        try check(shardTokens == nil || tokenizer != nil, "--shard-tokens is of --tokenizer, which is not given")
        try check((1_000...2_000_000_000).contains(shardTokens ?? 1_000), "--shard-tokens must be 1000…2000000000")
        try check((1...1_048_576).contains(memory), "--memory \(memory) is outside 1…1048576 MiB")
        try check((1...1_024).contains(threads ?? 1), "--threads \(threads ?? 0) is outside 1…1024")
        try check(
            filter == nil || filterPolicy == nil, "--filter-policy stands in the place of --filter; give one of them")
        _ = try chosenRules()
    }

    private func chosenRules() throws -> Set<Preparation.Rule> {
        Set(
            try rules?.split(separator: ",", omittingEmptySubsequences: false).map { name in
                guard let rule = Preparation.Rule(rawValue: String(name)) else {
                    throw ValidationError(
                        "--rules takes a list of \(Preparation.Rule.allCases.map(\.rawValue).joined(separator: ", ")); got "
                            + "'\(name)'")
                }
                return rule
            } ?? [])
    }

    func run() throws {
        let preparation = try Preparation(try options())
        let isWatched = Terminal.isInteractive && !json
        let report = try preparation.run { bytes, records in
            if isWatched { Terminal.write("\r\(records) records, \(bytes >> 20) MiB read\u{1B}[K") }
        }
        if isWatched { Terminal.write("\r\u{1B}[K") }
        Terminal.write(json ? String(decoding: try report.json, as: UTF8.self) : report.text)
    }

    private func options() throws -> Preparation.Options {
        var options = Preparation.Options(inputs: inputs, output: output)
        (options.kind, options.documents, options.skipsBroken) = (format, documents, skipBroken)
        options.keptFields = Set(keepFields?.split(separator: ",").map(String.init) ?? [])
        if noClean {
            options.cleaning = nil
        } else {
            options.cleaning?.normalForm = normalForm ?? .nfc
            options.cleaning?.length = (minCharacters ?? 1)...(maxCharacters ?? .max)
        }
        options.rules = try chosenRules()
        (options.exclude, options.excludeLength) = (exclude, excludeLength ?? options.excludeLength)
        options.dropsExactDuplicates = duplicates != .none
        if duplicates == .near {
            options.nearness?.threshold = threshold ?? 0.8
            options.nearness?.shingle = shingle ?? 5
            options.nearness?.permutations = permutations ?? 128
        } else {
            options.nearness = nil
        }
        options.policy = try policy()
        (options.heldOut, options.tokenizer) = (heldOut, tokenizer)
        options.shardTokens = shardTokens ?? options.shardTokens
        (options.memory, options.threads) = (memory << 20, threads ?? ProcessInfo.processInfo.activeProcessorCount)
        return options
    }

    private func policy() throws -> FilterPolicy? {
        if let filterPolicy { return try FilterPolicy(file: filterPolicy) }
        return switch filter ?? .redact {
        case .off: nil
        case .redact: .training(.redact)
        case .drop: .training(.block)
        }
    }
}

extension InputFile.Kind: ExpressibleByArgument {}
extension RecordReader.Documents: ExpressibleByArgument {}
extension Cleaning.NormalForm: ExpressibleByArgument {}
