internal import Foundation

/// What each code point becomes before rules look at it: lower case, decomposed, without marks and invisible characters,
/// lookalikes of Latin letters as those, traditional Chinese as simplified. ASCII stays as it is.
struct FoldTable: Sendable {
    static let shared = FoldTable()

    private let blocks: [UInt16]
    private let entries: [UInt16]
    private let pool: [UInt8]

    private init() {
        let data = [UInt8](Data(base64Encoded: Self.base64) ?? Data())
        let numbers = stride(from: 0, to: data.count - 1, by: 2)
        let firstEntry = 4_352
        let firstText = firstEntry + Self.blockCount * 256
        precondition(data.count > 2 * firstText, "the fold table is cut short")
        let words = numbers.prefix(firstText).map { UInt16(data[$0]) | UInt16(data[$0 + 1]) << 8 }
        (blocks, entries) = (Array(words[..<firstEntry]), Array(words[firstEntry...]))
        pool = Array(data[(2 * firstText)...])
    }

    /// - Returns: what the code point becomes, as a range of `text`; nil when it stays.
    func folded(_ point: UInt32) -> Range<Int>? {
        let entry = Int(entries[Int(blocks[Int(point >> 8)]) << 8 + Int(point & 255)])
        if entry == 0 { return nil }
        if entry == 1 { return 0..<0 }
        let place = entry - 2
        return place + 1..<place + 1 + Int(pool[place])
    }

    /// Whether the code point becomes nothing else.
    func stays(_ point: UInt32) -> Bool { entries[Int(blocks[Int(point >> 8)]) << 8 + Int(point & 255)] == 0 }

    var text: [UInt8] { pool }
}
