import Foundation
import Messages
import StateKeeping
import Testing

@Suite struct StateStoreTests {
    private func withStore(_ body: (StateStore, String) async throws -> Void) async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        defer { for end in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: file + end) } }
        try await body(try StateStore(file: file), file)
    }

    private func document(_ id: String, parent: String = "", isOpen: Bool = false, key: Int64? = nil)
        -> Wire.StateDocument
    {
        Wire.StateDocument(
            kind: "thing", id: id, key: key, parent: parent, body: Array("{}".utf8), isOpen: isOpen,
            expires: Int64(Date().timeIntervalSince1970) + 1_000)
    }

    private func find(_ store: StateStore, _ id: String, from entry: Int? = nil) async throws -> Wire.FindStateReply {
        try await store.find(Wire.FindStateRequest(kind: "thing", id: id, firstEntry: entry))
    }

    @Test func `a document is kept once, found, changed and removed with its parts`() async throws {
        try await withStore { store, file in
            let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
            #expect(mode == 0o600)
            #expect(
                try await store.put(.init(documents: [document("a", key: 7), document("b", parent: "a")])).added == 2)
            #expect(try await store.put(.init(documents: [document("a")])).added == 0)
            let found = try #require(try await find(store, "a").document)
            #expect(found.key == 7 && found.body == Array("{}".utf8) && !found.isOpen && found.entries == 0)
            let change = Wire.UpdateStateRequest(kind: "thing", id: "a", body: [1, 2], outcome: 3)
            #expect(try await store.update(change).isMade)
            #expect(try await find(store, "a").document?.body == [1, 2])
            #expect(try await find(store, "a").document?.outcome == 3)
            #expect(try await store.delete(.init(kind: "thing", id: "a")).wasThere)
            #expect(try await find(store, "b").document == nil)
            #expect(try await !store.delete(.init(kind: "thing", id: "a")).wasThere)
            #expect(try await !store.update(change).isMade)
        }
    }

    @Test func `a log grows only from its end, and only in the hands of whoever has the lease`() async throws {
        try await withStore { store, _ in
            _ = try await store.put(.init(documents: [document("a", isOpen: true)]))
            let claim = Wire.ClaimStateRequest(kind: "thing", worker: "one", limit: 5, lease: .seconds(600))
            #expect(try await store.claim(claim).documents.map(\.id) == ["a"])
            var other = claim
            other.worker = "two"
            #expect(try await store.claim(other).documents.isEmpty)
            var append = Wire.UpdateStateRequest(
                kind: "thing", id: "a", worker: "one", entries: [[1], [2, 2]], firstEntry: 0, lease: .seconds(600))
            #expect(try await store.update(append).isMade)
            // The same once more does not follow the log.
            #expect(try await !store.update(append).isMade)
            append.worker = "two"
            append.firstEntry = 2
            #expect(try await !store.update(append).isMade)
            #expect(try await find(store, "a", from: 0).entries == [[1], [2, 2]])
            #expect(try await find(store, "a", from: 1).entries == [[2, 2]])
            // Once the lease has run out, the work is another's.
            let short = Wire.UpdateStateRequest(kind: "thing", id: "a", worker: "one", lease: .milliseconds(1))
            #expect(try await store.update(short).isMade)
            while try await store.claim(other).documents.isEmpty { await Task.yield() }
            #expect(try await store.update(append).isMade)
            append.worker = "one"
            append.firstEntry = 4
            #expect(try await !store.update(append).isMade)
            let end = Wire.UpdateStateRequest(
                kind: "thing", id: "a", worker: "two", isOpen: false, requiresOpen: true)
            #expect(try await store.update(end).isMade)
            #expect(try await !store.update(end).isMade)
            #expect(try await store.claim(claim).documents.isEmpty)
        }
    }

    @Test func `lists go page by page in either order, and tallies count outcomes`() async throws {
        try await withStore { store, _ in
            let parts = (0..<5).map { document("p\($0)", parent: "a", key: $0 == 4 ? 1 : nil) }
            _ = try await store.put(.init(documents: [document("a")] + parts))
            let first = try await store.list(
                .init(kind: "thing", parent: "a", latestFirst: false, limit: 3)
            ).documents
            #expect(first.map(\.id) == ["p0", "p1", "p2"])
            let rest = try await store.list(
                .init(kind: "thing", parent: "a", after: first.last?.number, latestFirst: false, limit: 9))
            #expect(rest.documents.map(\.id) == ["p3", "p4"])
            let latest = try await store.list(.init(kind: "thing", parent: "a", latestFirst: true, limit: 2))
            #expect(latest.documents.map(\.id) == ["p4", "p3"])
            let own = try await store.list(.init(kind: "thing", key: 1, latestFirst: true, limit: 9))
            #expect(own.documents.map(\.id) == ["p4"])
            _ = try await store.update(.init(kind: "thing", id: "p1", outcome: 2))
            let tally = try await store.tally(.init(kind: "thing", parent: "a"))
            #expect(Dictionary(uniqueKeysWithValues: zip(tally.outcomes, tally.counts)) == [0: 4, 2: 1])
        }
    }

    @Test func `what has been kept long enough is not found any more, and goes`() async throws {
        try await withStore { store, file in
            var old = document("old", isOpen: true)
            old.expires = 1
            _ = try await store.put(.init(documents: [old, document("new")]))
            #expect(try await find(store, "old").document == nil)
            let claim = Wire.ClaimStateRequest(kind: "thing", worker: "one", limit: 5, lease: .seconds(1))
            #expect(try await store.claim(claim).documents.isEmpty)
            try await store.removeExpired()
            #expect(try await store.put(.init(documents: [old])).added == 1)
            #expect(try await find(store, "new").document != nil)
            let more = (0..<1_500).map { document("more \($0)", isOpen: $0 == 3) }
            _ = try await store.put(.init(documents: more))
            try await store.removeExpired(limit: 10)
            #expect(try await find(store, "more 1489").document == nil)
            #expect(try await find(store, "more 1499").document != nil)
            #expect(try await find(store, "more 3").document != nil)
            _ = try await store.put(.init(documents: [document("new")]))
            // Another process may have the file open.
            #expect(try await find(try StateStore(file: file), "new").document != nil)
        }
    }
}
