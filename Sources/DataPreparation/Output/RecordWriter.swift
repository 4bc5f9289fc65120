import Tokenizers

/// One part of the output: JSON Lines, or shards of tokens.
final class RecordWriter {
    private let file: OutputFile?
    private let shards: TokenShards?
    private var part = PreparationReport.Part()

    init(
        _ name: String, _ directory: OutputDirectory, _ tokenizer: Tokenizer?, _ options: Preparation.Options
    ) throws(DataError) {
        file = tokenizer == nil ? try directory.file(name + ".jsonl") : nil
        shards = tokenizer.map {
            TokenShards(name, in: directory, vocabulary: $0.vocabulary.count, limit: options.shardTokens)
        }
    }

    func write(_ record: FinishedRecord) throws(DataError) {
        part.records += 1
        part.bytes += record.bytes
        try file?.write(record.line)
        try shards?.write(record.ids)
    }

    func close() throws(DataError) -> PreparationReport.Part {
        if let file { part.files = [try file.close()] }
        if let shards {
            part.files = try shards.close()
            part.tokens = shards.tokens
        }
        return part
    }
}
