/// Tokens in Megatron-LM's form: `NAME-00000.bin` has the ids one behind the other, `NAME-00000.idx` where documents begin.
/// Megatron's `IndexedDataset` reads them; the `.bin` alone is what nanoGPT maps into memory.
///
/// The index, all little-endian: `MMIDIDX` and two zero bytes; u64 version, 1; u8 type of ids, 8 for u16 and 4 for i32; u64
/// number of sequences n; u64 number of documents + 1, n + 1; n × i32 tokens of each; n × i64 byte at which each begins in the
/// `.bin`; (n + 1) × i64 0 … n, since a sequence is a document.
final class TokenShards {
    private let directory: OutputDirectory
    private let name: String
    /// Bytes of an id: 2 where all ids are below 65,500, as Megatron has it.
    private let width: Int
    private let limit: Int
    private var file: OutputFile?
    private var lengths: [Int32] = []
    private var tokensOfShard = 0
    private(set) var tokens = 0
    private var files: [PreparationReport.File] = []

    /// - Parameter limit: tokens after which another shard begins.
    init(_ name: String, in directory: OutputDirectory, vocabulary: Int, limit: Int) {
        (self.name, self.directory, self.limit) = (name, directory, limit)
        width = vocabulary < 65_500 ? 2 : 4
    }

    func write(_ ids: [Int32]) throws(DataError) {
        if tokensOfShard >= limit { try closeShard() }
        if file == nil { file = try directory.file(shardName + ".bin") }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(ids.count * width)
        for id in ids { Self.append(UInt64(UInt32(bitPattern: id)), width, to: &bytes) }
        try file?.write(bytes)
        lengths.append(Int32(ids.count))
        tokensOfShard += ids.count
        tokens += ids.count
    }

    private var shards = 0
    private var shardName: String {
        let number = String(shards)
        return name + "-" + String(repeating: "0", count: max(0, 5 - number.count)) + number
    }

    private func closeShard() throws(DataError) {
        guard let file else { return }
        files.append(try file.close())
        let index = try directory.file(shardName + ".idx")
        var bytes = Array("MMIDIDX".utf8) + [0, 0]
        Self.append(1, 8, to: &bytes)
        bytes.append(width == 2 ? 8 : 4)
        Self.append(UInt64(lengths.count), 8, to: &bytes)
        Self.append(UInt64(lengths.count + 1), 8, to: &bytes)
        for length in lengths { Self.append(UInt64(length), 4, to: &bytes) }
        var start = 0
        for length in lengths {
            Self.append(UInt64(start), 8, to: &bytes)
            start += Int(length) * width
        }
        for document in 0...lengths.count { Self.append(UInt64(document), 8, to: &bytes) }
        try index.write(bytes)
        files.append(try index.close())
        (self.file, lengths, tokensOfShard) = (nil, [], 0)
        shards += 1
    }

    func close() throws(DataError) -> [PreparationReport.File] {
        try closeShard()
        return files
    }

    private static func append(_ value: UInt64, _ width: Int, to bytes: inout [UInt8]) {
        for place in 0..<width { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * UInt64(place)))) }
    }
}
