import Foundation
import PNG
import Testing

@Suite(.timeLimit(.minutes(5)), .serialized) struct ProvenanceTests {
    private static let goldens =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().path
        + "/../../ContentLabelsTests/Goldens/"
    private static let signing = """
        labels:
          pictures: {c2pa: {certificates: \(goldens)chain.pem, key: \(goldens)signer-key.pem}}
          text: {notice: on, watermark: {keys: watermark.key, delta: 6}}
        """

    private func check(
        _ client: WholeGatewayClient, _ file: [UInt8], _ fields: [String: String] = [:]
    ) async throws -> (status: Int, json: [String: Any]) {
        var body = Data()
        for (name, value) in fields {
            body += Data("--b\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n\(value)\r\n".utf8)
        }
        body += Data("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n".utf8)
        body += Data(file) + Data("\r\n--b--\r\n".utf8)
        let answer = try await client.execute(
            uri: "/v1/content_provenance_checks", method: "POST", body: body,
            headers: ["Content-Type": "multipart/form-data; boundary=b"])
        return (answer.status, try json(answer.body))
    }

    /// What was found, by its kind.
    private func results(_ answer: (status: Int, json: [String: Any])) throws -> [String: [String: Any]] {
        #expect(answer.status == 200 && answer.json["object"] as? String == "content_provenance_check", "\(answer)")
        let results = try #require(answer.json["results"] as? [[String: Any]])
        return Dictionary(uniqueKeysWithValues: results.map { ($0["type"] as? String ?? "", $0) })
    }

    private func error(_ answer: (status: Int, json: [String: Any])) -> String {
        #expect(answer.status == 400)
        return (answer.json["error"] as? [String: Any])?["message"] as? String ?? ""
    }

    private func picture(_ client: WholeGatewayClient) async throws -> [UInt8] {
        let answer = try await post(client, "/v1/images/generations", #"{"model":"tiny","prompt":"a","steps":1}"#)
        let picture = (try json(answer.body)["data"] as? [[String: Any]])?.first?["b64_json"] as? String
        return [UInt8](try #require(Data(base64Encoded: picture ?? "")))
    }

    @Test func `an own picture is found by its signature and its metadata, and a changed one by neither`() async throws
    {
        try await withWholeGateway(labels: Self.signing) { client async throws in
            let file = try await picture(client)
            let found = try results(try await check(client, file))
            #expect(found.keys.sorted() == ["aigc", "c2pa"])
            let signed = try #require(found["c2pa"])
            #expect(signed["outcome"] as? String == "detected" && signed["validation_state"] as? String == "trusted")
            #expect(signed["issuer"] as? String == "Nephele tests" && signed["model"] as? String == "tiny")
            #expect((signed["generated_at"] as? String)?.hasSuffix("Z") == true && signed["reason"] == nil)
            #expect(
                found["aigc"]?["outcome"] as? String == "detected" && found["aigc"]?["issuer"] as? String == "Nephele")
            #expect((found["aigc"]?["produce_id"] as? String)?.isEmpty == false)
            var changed = file
            changed[changed.count - 5] ^= 1
            let broken = try results(try await check(client, changed))
            #expect(broken["c2pa"]?["validation_state"] as? String == "invalid")
            #expect((broken["c2pa"]?["reason"] as? String)?.contains("changed after it was signed") == true)
            #expect(broken.values.allSatisfy { $0["outcome"] as? String == "not_detected" })
        }
    }

    @Test func `what others signed is valid and not ours`() async throws {
        try await withWholeGateway { client async throws in
            for name in ["jpeg-es256-v2.jpeg", "webp-es256-v1.webp", "gif-es256-v2.gif", "png-ps256-v2.png"] {
                let url = URL(fileURLWithPath: Self.goldens + "credentials/" + name)
                let found = try results(try await check(client, [UInt8](try Data(contentsOf: url))))
                #expect(found["c2pa"]?["validation_state"] as? String == "valid", "\(name): \(found)")
                #expect(found["c2pa"]?["model"] as? String == "others-draw")
                #expect(found.values.allSatisfy { $0["outcome"] as? String == "not_detected" })
            }
        }
    }

    @Test func `a text is found by its watermark and its notice`() async throws {
        try await withWholeGateway(labels: Self.signing) { client async throws in
            let answer = try await post(
                client, "/v1/completions",
                #"{"model":"llama","prompt":"a","max_tokens":200,"seed":1,"ignore_eos":true,"temperature":1}"#)
            let text = try #require(((try json(answer.body)["choices"] as? [[String: Any]])?.first)?["text"] as? String)
            let own = try results(try await check(client, Array(text.utf8), ["model": "llama"]))
            #expect(own.keys.sorted() == ["notice", "watermark"])
            #expect(own.values.allSatisfy { $0["outcome"] as? String == "detected" }, "\(own)")
            #expect(
                own["watermark"]?["model"] as? String == "llama" && own["watermark"]?["p_value"] as? Double ?? 1 < 1e-4)
            let other = try results(
                try await check(client, Array("Somebody has written this by hand.".utf8), ["model": "llama"]))
            #expect(other.values.allSatisfy { $0["outcome"] as? String == "not_detected" }, "\(other)")
            #expect(error(try await check(client, Array("a text".utf8))).contains("name it as 'model'"))
            #expect(try await check(client, Array("a text".utf8), ["model": "nobody"]).status == 404)
        }
    }

    @Test func `what is no form, no picture and no text has an answer that says so`() async throws {
        try await withWholeGateway { client async throws in
            #expect(error(try await check(client, [0xFF, 0xFE, 0])).contains("no PNG, JPEG, WebP or GIF"))
            #expect(error(try await check(client, [])).contains("an empty one"))
            #expect(error(try await check(client, Array("a".utf8), ["purpose": "x"])).contains("'purpose' is no field"))
            #expect(error(try await check(client, Array("a".utf8), ["model": "llama"])).contains("no 'watermark' keys"))
            #expect(error(try await check(client, Array("GIF89a".utf8), ["model": "llama"])).contains("is a picture"))
            let noForm = try await post(client, "/v1/content_provenance_checks", "{}")
            #expect(error((noForm.status, try json(noForm.body))).contains("multipart/form-data"))
        }
    }
}
