import Accounts
import Foundation
import Messages
import RPC
import Synchronization

/// The adapters that jobs have made: each gateway has them loaded wherever their model is, until they are deleted.
struct FineTunedModels: Sendable {
    let models: StateDocuments
    let fleet: Fleet

    private static let interval: Duration = .seconds(1)

    /// Has text-models load an adapter now, and keeps it.
    ///
    /// - Throws: `APIError`.
    func serve(_ name: String, base: String, path: String, of job: Wire.StateDocument) async throws {
        try await fleet.loadAdapter(name, path: path, base: base)
        try await models.put([
            Wire.StateDocument(
                kind: models.kind, id: name, key: job.key, parent: job.id,
                body: Array(try JSONResponse.encoded(FineTunedModel(base: base, path: path))),
                expires: FineTuningStore.expiry)
        ])
    }

    /// - Returns: nil where there is none, or it is another key's.
    func find(_ name: String, of account: Account?) async throws -> FineTunedModel? {
        try await models.find(name, of: account)?.document.map(Self.model)
    }

    /// Forgets one. Gateways have it unloaded.
    ///
    /// - Throws: `APIError`, 404 where there is none, or it is another key's.
    func delete(_ name: String, of account: Account?) async throws {
        try await models.delete(name, of: account)
        try? await fleet.unloadAdapter(name)
    }

    private static func model(_ document: Wire.StateDocument) throws -> FineTunedModel {
        try JSONDecoder().decode(FineTunedModel.self, from: Data(document.body))
    }

    /// Loads what others have kept, and unloads what they have deleted, until the task is cancelled.
    func keep() async {
        var known: Set<String> = []
        while !Task.isCancelled {
            if let all = try? await all() {
                for (name, model) in all where known.insert(name).inserted && !fleet.requestedAdapters.contains(name) {
                    // Instances that are not there yet load it when they come.
                    fleet.requestedAdapters.add(
                        Wire.LoadAdapterRequest(model: model.base, name: name, path: model.path))
                    try? await fleet.loadAdapter(name, path: model.path, base: model.base)
                }
                for name in known where all[name] == nil {
                    known.remove(name)
                    try? await fleet.unloadAdapter(name)
                    fleet.requestedAdapters.remove(name)
                }
            }
            try? await Task.sleep(for: Self.interval)
        }
    }

    private func all() async throws -> [String: FineTunedModel] {
        var (all, after): ([String: FineTunedModel], Int?) = ([:], nil)
        while true {
            let request = Wire.ListStateRequest(kind: models.kind, after: after, limit: 1_000)
            let page = try await models.source.list(request).documents
            for document in page { all[document.id] = try Self.model(document) }
            guard page.count == 1_000, let last = page.last else { return all }
            after = last.number
        }
    }
}
