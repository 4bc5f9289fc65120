import Crypto
import Foundation
import PNG
import Testing

@testable import ContentLabels

@Suite struct ContentCredentialsTests {
    private let pictures: LabelPolicy.Pictures

    init() throws {
        var pictures = LabelPolicy.standard.pictures
        pictures.parameters = .prompt
        pictures.credentials = try ContentCredentials(
            certificates: goldens + "chain.pem", key: goldens + "signer-key.pem")
        self.pictures = pictures
    }

    /// A box's type, its label if it has one, and what is in it.
    private struct Box {
        var type: String
        var content: [UInt8]

        static func all(_ bytes: [UInt8]) -> [Box] {
            var (boxes, rest): ([Box], ArraySlice<UInt8>) = ([], bytes[...])
            while rest.count >= 8 {
                let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
                boxes.append(
                    Box(
                        type: String(decoding: rest.dropFirst(4).prefix(4), as: UTF8.self),
                        content: Array(rest.prefix(length).dropFirst(8))))
                rest = rest.dropFirst(max(8, length))
            }
            return boxes
        }

        var label: String {
            guard let description = Box.all(content).first, description.type == "jumd" else { return "" }
            return String(decoding: description.content.dropFirst(17).dropLast(), as: UTF8.self)
        }

        var children: [Box] { Array(Box.all(content).dropFirst()) }

        func child(_ label: String) throws -> Box { try #require(children.first { $0.label == label }) }
    }

    @Test func `the signature is the key's, over the claim, and the claim holds for the file`() throws {
        let file = try pictures.labelled(picture(), origin())
        let chunks = try PNG.chunks(of: file)
        #expect(chunks.map(\.type).prefix(4) == ["IHDR", "caBX", "tEXt", "tEXt"])
        let store = try #require(Box.all(chunks[1].data).first)
        #expect(store.type == "jumb" && store.label == "c2pa" && store.content.count + 8 == chunks[1].data.count)
        let manifest = try #require(store.children.first)
        #expect(manifest.label.hasPrefix("urn:c2pa:"))
        let claim = try manifest.child("c2pa.claim.v2").children[0].content
        let signature = try manifest.child("c2pa.signature").children[0].content
        // The certificates stand in the protected header, whose length is in two bytes.
        #expect(signature.prefix(3) == [0xD2, 0x84, 0x59])
        let length = Int(signature[3]) << 8 | Int(signature[4])
        let protected = Array(signature[5..<5 + length])
        let signed = CBOR.array([.text("Signature1"), .bytes(protected), .bytes([]), .bytes(claim)]).encoded
        let key = try P256.Signing.PrivateKey(
            pemRepresentation: String(contentsOfFile: goldens + "signer-key.pem", encoding: .utf8))
        #expect(
            key.publicKey.isValidSignature(
                try P256.Signing.ECDSASignature(rawRepresentation: signature.suffix(64)), for: signed))
        // What the claim says of its assertions, and these of the file.
        for assertion in try manifest.child("c2pa.assertions").children {
            #expect(Data(claim).firstRange(of: Data(SHA256.hash(data: assertion.content))) != nil)
        }
        let start = PNG.headerLength, end = PNG.headerLength + chunks[1].data.count + 12
        let binding = try manifest.child("c2pa.assertions").child("c2pa.hash.data").content
        let hash = Data(SHA256.hash(data: file[..<start] + file[end...]))
        #expect(Data(binding).firstRange(of: hash) != nil)
        let exclusion = CBOR.object([("start", .integer(start)), ("length", .integer(end - start))]).encoded
        #expect(Data(binding).firstRange(of: Data(exclusion)) != nil)
        #expect(try PNG.decode(file).width == 40)
    }

    @Test func `files that are no credentials are refused with their names`() throws {
        let (chain, key) = (goldens + "chain.pem", goldens + "signer-key.pem")
        let other = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString + ".pem")
        defer { try? FileManager.default.removeItem(at: other) }
        try Data(P256.Signing.PrivateKey().pemRepresentation.utf8).write(to: other)
        for (certificates, key, file) in [
            (chain, other.path, other.path), (chain, chain, chain), (chain, "/nowhere/key.pem", "/nowhere/key.pem"),
            (key, key, key), ("/nowhere/chain.pem", key, "/nowhere/chain.pem"),
        ] {
            let error = #expect(throws: LabelError.self) {
                try ContentCredentials(certificates: certificates, key: key)
            }
            #expect(error?.message.contains(file) == true)
        }
    }

    private static let signers = goldens + "signers/"

    @Test(arguments: [
        ("plain", "key"), ("several-usages", "key"), ("compressed-point", "key"), ("plain", "key-behind-parameters"),
        ("plain", "key-and-certificate"), ("key-and-certificate", "key-and-certificate"),
    ])
    func `certificates that readers accept are taken, in each form that tools write`(certificate: String, key: String)
        throws
    {
        let credentials = try ContentCredentials(
            certificates: Self.signers + certificate + ".pem", key: Self.signers + key + ".pem")
        #expect(credentials.fault() == nil)
    }

    @Test(arguments: [
        ("server-usage", "key", "emailProtection"), ("any-usage", "key", "anyExtendedKeyUsage"),
        ("no-extended-usage", "key", "no extended key usage"), ("no-key-usage", "key", "no key usage"),
        ("not-for-signing", "key", "digitalSignature"),
        ("no-authority-identifier", "key", "no authority key identifier"), ("expired", "key", "expired on 2021-01-01"),
        ("not-yet-valid", "key", "not valid before 2065-01-01"),
        ("plain", "explicit-key", "spells the curve's parameters"),
    ])
    func `a certificate whose signatures readers call invalid is refused with the reason`(
        certificate: String, key: String, reason: String
    ) throws {
        let error = #expect(throws: LabelError.self) {
            try ContentCredentials(certificates: Self.signers + certificate + ".pem", key: Self.signers + key + ".pem")
        }
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
        #expect(error?.message.contains(Self.signers) == true)
    }

    @Test func `an authority's certificate is no signer's`() {
        let error = #expect(throws: LabelError.self) {
            try ContentCredentials(certificates: goldens + "root.pem", key: goldens + "signer-key.pem")
        }
        #expect(error?.message.contains("authority's") == true)
    }

    @Test func `a certificate that expires is told beforehand, and afterwards nothing is signed with it`() throws {
        let credentials = try ContentCredentials(
            certificates: Self.signers + "plain.pem", key: Self.signers + "key.pem")
        let end = try #require(ISO8601DateFormatter().date(from: "2066-01-01T00:00:00Z"))
        #expect(credentials.warning(at: end - 40 * 86_400) == nil && credentials.fault(at: end - 40 * 86_400) == nil)
        #expect(credentials.warning(at: end - 86_400)?.contains("2066-01-01") == true)
        #expect(
            credentials.fault(at: end + 1)?.contains("has expired") == true && credentials.warning(at: end + 1) == nil)
        // One that held when it was read, and holds no more.
        let was = try #require(ISO8601DateFormatter().date(from: "2020-06-01T00:00:00Z"))
        var pictures = LabelPolicy.standard.pictures
        var expired = try ContentCredentials(
            certificates: Self.signers + "expired.pem", key: Self.signers + "key.pem", now: was)
        pictures.credentials = expired
        let unsigned = try PNG.chunks(of: try pictures.labelled(picture(), origin())).map(\.type)
        #expect(!unsigned.contains("caBX") && unsigned.contains("tEXt"))
        expired.isWithheldWhenExpired = true
        pictures.credentials = expired
        #expect(throws: LabelError.self) { try pictures.labelled(picture(), origin()) }
    }

    @Test(arguments: [
        (CBOR.integer(0), "00"), (.integer(23), "17"), (.integer(24), "1818"), (.integer(255), "18ff"),
        (.integer(256), "190100"), (.integer(65_536), "1a00010000"), (.integer(1 << 32), "1b0000000100000000"),
        (.integer(-7), "26"), (.integer(-1), "20"), (.integer(-500), "3901f3"), (.bytes([1, 2]), "420102"),
        (.text("ü"), "62c3bc"), (.array([.integer(1), .null]), "8201f6"), (.object([("a", .integer(1))]), "a1616101"),
        (.tagged(18, .map([])), "d2a0"),
    ])
    func `CBOR is RFC 8949's`(value: CBOR, hex: String) {
        #expect(value.encoded.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() == hex)
    }
}

/// A Python that has other people's readers, nil where there is none.
private let python: String? = {
    let given = ProcessInfo.processInfo.environment["NEPHELE_PYTHON"]
    return [given, "/usr/bin/python3"].compactMap { $0 }.first { path in
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = ["-c", "import c2pa, sd_parsers, PIL"]
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}()

@Suite(.enabled(if: python != nil, "needs a Python with c2pa-python, sd-parsers and pillow"))
struct ForeignReaderTests {
    private func read(_ files: [[UInt8]]) throws -> [[String: Any]] {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let paths = try files.enumerated().map { index, file in
            let url = folder.appendingPathComponent("\(index).png")
            try Data(file).write(to: url)
            return url.path
        }
        let process = Process(), output = Pipe()
        process.executableURL = URL(fileURLWithPath: python ?? "")
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
            "read_pictures.py")
        process.arguments = [script.path, "--trust", goldens + "root.pem"] + paths
        process.standardOutput = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return try data.split(separator: UInt8(ascii: "\n")).map {
            try #require(try JSONSerialization.jsonObject(with: $0) as? [String: Any])
        }
    }

    @Test func `the C2PA reference implementation trusts the manifest, and finds what was changed`() throws {
        var pictures = LabelPolicy.standard.pictures
        (pictures.parameters, pictures.isMarked) = (.prompt, true)
        pictures.credentials = try ContentCredentials(
            certificates: goldens + "chain.pem", key: goldens + "signer-key.pem")
        let file = try pictures.labelled(picture(300, 200), origin("书 \u{1F4D5}"))
        // The label itself is changed, as somebody would who hides that it is generated.
        let chunks = try PNG.chunks(of: file).map { chunk in
            chunk.text.map { $0.keyword == "AIGC" ? .text("AIGC", $0.text.replacing("\"1\"", with: "\"3\"")) : chunk }
                ?? chunk
        }
        let changed = file.prefix(8) + chunks.flatMap(\.bytes)
        #expect(changed.count == file.count)
        let found = try self.read([file, Array(changed)])
        try #require(found.count == 2)
        let (read, broken) = (found[0], found[1])
        let manifests = try #require(read["c2pa"] as? [String: Any])
        #expect(manifests["validation_state"] as? String == "Trusted", "\(manifests)")
        let active = try #require(manifests["active_manifest"] as? String)
        let manifest = try #require((manifests["manifests"] as? [String: [String: Any]])?[active])
        let said = String(decoding: try JSONSerialization.data(withJSONObject: manifest), as: UTF8.self)
        #expect(said.contains("trainedAlgorithmicMedia") && said.contains("c2pa.created"))
        #expect((broken["c2pa"] as? [String: Any])?["validation_state"] as? String == "Invalid", "\(broken)")
    }

    @Test func `Pillow reads the metadata, and sd-parsers the parameters`() throws {
        var pictures = LabelPolicy.standard.pictures
        pictures.parameters = .prompt
        let files = try [
            pictures.labelled(picture(), origin("a red book", negative: "blurry")),
            pictures.labelled(picture(), origin("一本红色的书, 旧", negative: "模糊")),
        ]
        let found = try read(files)
        #expect(found.count == 2)
        for (read, (prompt, negative)) in zip(found, [("a red book", "blurry"), ("一本红色的书, 旧", "模糊")]) {
            #expect((read["aigc"] as? [String: String])?["ProduceID"] == "ba7816bf8f01cfea414140de5dae2223")
            let parameters = try #require(read["parameters"] as? [String: Any])
            #expect(parameters["generator"] as? String == "Generators.AUTOMATIC1111", "\(parameters)")
            #expect(parameters["prompts"] as? [String] == [prompt])
            #expect(parameters["negative_prompts"] as? [String] == [negative])
            #expect(parameters["models"] as? [String] == ["nephele-pixel"])
            let sampler = try #require((parameters["samplers"] as? [[String: Any]])?.first)
            #expect(sampler["name"] as? String == "DDIM")
            let values = try #require(sampler["parameters"] as? [String: Any])
            #expect("\(values["seed"] ?? "")" == "18446744073709551615" && "\(values["steps"] ?? "")" == "24")
        }
    }
}
