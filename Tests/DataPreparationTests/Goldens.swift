import Foundation
import Testing

/// What make_goldens.py wrote.
struct Goldens: Decodable {
    struct Units: Decodable {
        var text: String
        var units: [String]
    }
    struct Pairs: Decodable {
        var candidates: [[Int]]
        var near: [[Int]]
    }
    struct Gopher: Decodable {
        var text: String
        var quality: String?
        var repetition: String?
    }
    struct Page: Decodable {
        var text: String
        var kept: String?
        var dropped: String?
    }
    struct Clean: Decodable {
        var text: String
        var nfc: String
        var nfkc: String
    }
    struct Shard: Decodable {
        var bin: String
        var idx: String
    }

    var units: [Units]
    var documents: [String]
    var signatures: [[UInt32]]
    var signaturesOf: [Int]
    var sums: [UInt64]
    var pairs: [String: Pairs]
    var bandings: [[Double]]
    var gopher: [Gopher]
    var c4: [Page]
    var clean: [Clean]
    var shards: [String: Shard]

    static func read() throws -> Goldens {
        let url = try #require(Bundle.module.url(forResource: "Goldens/goldens", withExtension: "json"))
        return try JSONDecoder().decode(Goldens.self, from: try Data(contentsOf: url))
    }
}

/// A folder that goes with its owner.
final class Folder {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/data-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    @discardableResult
    func write(_ name: String, _ text: String) throws -> String { try write(name, Array(text.utf8)) }

    @discardableResult
    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: path + "/" + name))
        return path + "/" + name
    }

    func read(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: path + "/" + name)), as: UTF8.self)
    }

    func bytes(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: path + "/" + name)))
    }

    func names(_ folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path + "/" + folder).sorted()
    }
}
