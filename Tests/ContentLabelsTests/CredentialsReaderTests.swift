import Foundation
import PNG
import Testing

@testable import ContentLabels

@Suite struct CredentialsReaderTests {
    private static let ours = Result {
        try ContentCredentials(certificates: goldens + "chain.pem", key: goldens + "signer-key.pem")
    }

    private func signed(model: String = "nephele-pixel") throws -> [UInt8] {
        var pictures = LabelPolicy.standard.pictures
        pictures.credentials = try Self.ours.get()
        let rgba = (0..<4 * 24 * 16).map { UInt8(truncatingIfNeeded: $0 * 7) }
        let file = try PNG.encode(rgba: rgba, width: 24, height: 16)
        return try pictures.labelled(file, PictureOrigin(file: file, model: model, seed: 1, width: 24, height: 16))
    }

    /// What a file of the reference implementation is, there and here.
    private struct Known: Decodable {
        struct File: Decodable {
            var state: String
            var changed: Int?
            var changed_state: String?
        }

        var files: [String: File]
    }

    @Test func `files that the reference implementation signed are what its own reader says`() throws {
        let known = try JSONDecoder().decode(
            Known.self, from: try Data(contentsOf: URL(fileURLWithPath: goldens + "credentials/states.json")))
        #expect(known.files.count == 17)
        for (name, expected) in known.files {
            var file = [UInt8](try Data(contentsOf: URL(fileURLWithPath: goldens + "credentials/" + name)))
            let report = CredentialsReader().report(on: file)
            #expect(report.state.rawValue == expected.state, "\(name): \(report)")
            guard let place = expected.changed, let state = expected.changed_state else { continue }
            #expect(report.model == "others-draw" && report.generatedAt == "2026-11-30T12:00:00Z", "\(name): \(report)")
            #expect(report.isGenerated && report.issuer?.hasPrefix("Others of ") == true, "\(name): \(report)")
            file[place] ^= 1
            #expect(CredentialsReader().report(on: file).state.rawValue == state, "\(name)")
        }
    }

    @Test func `an own signature is trusted, a stranger's valid, and each says who drew what when`() throws {
        let file = try signed(model: "流星")
        let before = Date()
        let trusted = CredentialsReader(trusting: [try Self.ours.get()]).report(on: file)
        #expect(trusted.state == .trusted && trusted.reason == nil && trusted.isGenerated)
        #expect(trusted.model == "流星" && trusted.issuer == "Nephele tests")
        let drawn = try #require(trusted.generatedAt.flatMap { ISO8601DateFormatter().date(from: $0) })
        #expect(abs(drawn.timeIntervalSince(before)) < 600)
        #expect(CredentialsReader().report(on: file).state == .valid)
        // Readers judge by the certificate's validity when they read.
        let end = try #require(ISO8601DateFormatter().date(from: "2066-01-02T00:00:00Z"))
        let expired = CredentialsReader().report(on: file, at: end)
        #expect(expired.state == .invalid && expired.reason?.contains("has expired on 2066-01-01") == true)
    }

    @Test func `whatever byte is changed, the file is no longer what was signed`() throws {
        let file = try signed()
        let reader = CredentialsReader(trusting: [try Self.ours.get()])
        var reasons: [String: Int] = [:]
        for place in file.indices {
            var changed = file
            changed[place] ^= 1 << UInt8(place % 8)
            let report = reader.report(on: changed)
            // A bit of the chunk's own length, type or checksum takes the manifest away, or is none of a reader's business.
            let isChunk =
                (33..<41).contains(place)
                || PNG.headerLength + Self.chunkLength(of: file) - 4 <= place
                    && place < PNG.headerLength + Self.chunkLength(of: file)
            #expect(report.state == .invalid || report.state == .notPresent || isChunk, "byte \(place): \(report)")
            reasons[report.reason ?? report.state.rawValue, default: 0] += 1
        }
        #expect(reasons.count > 8, "\(reasons)")
        for length in stride(from: 0, to: file.count, by: 3) {
            #expect(reader.report(on: Array(file[..<length])).state != .trusted, "cut to \(length)")
        }
    }

    /// Of the first chunk behind IHDR, with its length, type and checksum.
    private static func chunkLength(of file: [UInt8]) -> Int {
        12 + file[PNG.headerLength..<PNG.headerLength + 4].reduce(0) { $0 << 8 | Int($1) }
    }

    @Test func `a manifest that is moved to another picture, or stands there twice, is invalid`() throws {
        let chunk = try PNG.chunks(of: try signed())[1]
        #expect(chunk.type == "caBX")
        let other = try PNG.encode(rgba: [UInt8](repeating: 9, count: 4 * 24 * 16), width: 24, height: 16)
        let moved = CredentialsReader().report(on: try PNG.inserting([chunk], into: other))
        #expect(moved.state == .invalid && moved.reason?.contains("changed after it was signed") == true, "\(moved)")
        let twice = CredentialsReader().report(on: try PNG.inserting([chunk, chunk], into: other))
        #expect(twice.reason == "the file has 2 manifest stores")
    }

    @Test func `CBOR that comes back is what was written, and what is broken is refused`() throws {
        let value = CBOR.object([
            ("a", .array([.integer(-500), .integer(1 << 40), .bool(true), .null, .double(-1.5)])),
            ("é", .tagged(0, .text("2026-11-30"))), ("b", .bytes([1, 2])),
        ])
        #expect(try CBORReader.value(of: value.encoded[...]).encoded == value.encoded)
        // Of indefinite length (RFC 8949, appendix A), and halves.
        let known: [([UInt8], CBOR)] = [
            ([0x5F, 0x42, 1, 2, 0x43, 3, 4, 5, 0xFF], .bytes([1, 2, 3, 4, 5])),
            ([0x7F, 0x65, 0x73, 0x74, 0x72, 0x65, 0x61, 0x64, 0x6D, 0x69, 0x6E, 0x67, 0xFF], .text("streaming")),
            ([0x9F, 1, 0x82, 2, 3, 0xFF], .array([.integer(1), .array([.integer(2), .integer(3)])])),
            ([0xBF, 0x61, 0x61, 1, 0xFF], .object([("a", .integer(1))])), ([0xF9, 0x3E, 0], .double(1.5)),
        ]
        for (bytes, value) in known where bytes.first != 0x7F {
            #expect(try CBORReader.value(of: bytes[...]).encoded == value.encoded)
        }
        let broken: [[UInt8]] = [
            [], [0xFF], [0x1C], [0x18], [0x82, 1], [0xA1, 1], [0x61, 0xFF], [0x5B, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0],
            [1, 2], [0x9F, 1], [0xBF, 1, 0xFF], [0xC1, 0xFF], [0x5F, 0x61, 0x61, 0xFF],
            [0x1B] + .init(repeating: 0xFF, count: 8),
            .init(repeating: 0x81, count: 100), [0x9A, 0, 2, 0, 0] + .init(repeating: 0xF6, count: 0x20000),
        ]
        for bytes in broken {
            #expect(throws: CredentialsFlaw.self, "\(bytes.prefix(20))") { try CBORReader.value(of: bytes[...]) }
        }
    }
}
