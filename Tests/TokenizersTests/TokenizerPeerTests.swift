import Foundation
import Testing

@testable import Tokenizers

/// Real vocabularies against the libraries they belong to: what `Tests/Peers/tokenizer_peers.py` has written to
/// `NEPHELE_TOKENIZER_PEERS`.
@Suite struct TokenizerPeerTests {
    private struct Vector: Decodable {
        var text: String
        var ids: [Int32]
        var whole: [Int32]?
        var decoded: String?
    }

    private struct Pair: Decodable {
        var first: String, second: String, strategy: String, side: String
        var length: Int
        /// nil where the library refuses.
        var ids: [Int32]?
        var types: [Int32]?
    }

    private struct Peer: Decodable {
        var place: String
        var vectors: [Vector]
        var pairs: [Pair]
        /// Whether the library takes control tokens spelt out in a text for such.
        var parses: Bool
    }

    private static let folder = ProcessInfo.processInfo.environment["NEPHELE_TOKENIZER_PEERS"]

    @Test(.enabled(if: Self.folder != nil, "Tests/Peers/tokenizer_peers.py has not been run"))
    func `ids and text are those of the other library`() throws {
        let folder = try #require(Self.folder)
        let files = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".json") }
        #expect(!files.isEmpty)
        for file in files.sorted() {
            let data = try Data(contentsOf: URL(fileURLWithPath: folder + "/" + file))
            let peer = try JSONDecoder().decode(Peer.self, from: data)
            let tokenizer = try Tokenizer(directory: peer.place)
            try check(tokenizer, peer, file)
            try check(tokenizer, peer.pairs, file)
        }
    }

    private func check(_ tokenizer: Tokenizer, _ peer: Peer, _ file: String) throws {
        var wrong = 0
        for vector in peer.vectors where wrong < 8 {
            let before = wrong
            let place = "\(file): \(vector.text.debugDescription.prefix(90))"
            let ids = tokenizer.encode(vector.text, addSpecialTokens: false, parseSpecialTokens: peer.parses)
            if ids != vector.ids {
                Issue.record("\(place): ids \(ids.prefix(40)), must \(vector.ids.prefix(40))")
                wrong += 1
            }
            if let whole = vector.whole {
                #expect(
                    tokenizer.encode(vector.text, addSpecialTokens: true, parseSpecialTokens: peer.parses) == whole,
                    "\(place)"
                )
            }
            if let decoded = vector.decoded, !decoded.contains("\u{FFFD}"), before == wrong {
                let text = try tokenizer.decode(vector.ids, skipSpecialTokens: false)
                if Array(text.utf8) != Array(decoded.utf8) {
                    Issue.record("\(place): text \(text.debugDescription), must \(decoded.debugDescription)")
                    wrong += 1
                }
            }
        }
        print("\(file): \(peer.vectors.count) texts compared")
    }

    private func check(_ tokenizer: Tokenizer, _ pairs: [Pair], _ file: String) throws {
        for pair in pairs {
            let truncation = Truncation(
                maxLength: pair.length, strategy: try #require(Truncation.Strategy(rawValue: pair.strategy)),
                side: try #require(Truncation.Side(rawValue: pair.side)))
            let text = try? tokenizer.tokenized(
                pair.first, pair.second, addSpecialTokens: true, truncation: truncation, parseSpecialTokens: true)
            guard text?.ids != pair.ids || text?.typeIDs != pair.types else { continue }
            Issue.record(
                "\(file): \(pair.first.debugDescription) \(pair.second.debugDescription) \(truncation): \(text as Any), must \(pair.ids as Any)"
            )
            return
        }
    }
}
