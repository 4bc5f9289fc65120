import Messages
import RPC
import Synchronization

/// The adapters that clients have had loaded since the gateway started, by name.
final class RequestedAdapters: Sendable {
    private struct State {
        var requests: [String: Wire.LoadAdapterRequest] = [:] { didSet { generation += 1 } }
        var generation: UInt64 = 0
    }

    private let state = Mutex(State())

    var all: [Wire.LoadAdapterRequest] { state.withLock { Array($0.requests.values) } }
    /// Grows with every change.
    var generation: UInt64 { state.withLock { $0.generation } }

    func contains(_ name: String) -> Bool { state.withLock { $0.requests[name] != nil } }
    func add(_ request: Wire.LoadAdapterRequest) { state.withLock { $0.requests[request.name] = request } }
    func remove(_ name: String) { state.withLock { _ = $0.requests.removeValue(forKey: name) } }
}

extension Fleet {
    private struct Missing: Hashable {
        var instance: String
        var adapter: String
    }

    /// Loads the adapters that clients have had loaded into replicas that start later, until the task is cancelled.
    package func keepAdapters() async {
        guard let textModel else { return }
        // What an instance has refused it will refuse again.
        var refused: Set<Missing> = []
        while !Task.isCancelled {
            let instances = try? await textModel.waitUntil(timeout: .seconds(30)) {
                !missing(in: $0, except: refused).isEmpty
            }
            guard let instances else {
                // Half a minute without need, or the end: a client that was closed does not wait.
                try? await Task.sleep(for: .milliseconds(50))
                continue
            }
            let present = Set(instances.map(\.id))
            refused = refused.filter { present.contains($0.instance) }
            for (place, request) in missing(in: instances, except: refused) {
                if await !load(request, into: place.instance) { refused.insert(place) }
            }
        }
    }

    private func missing(
        in instances: [Instance], except refused: Set<Missing>
    ) -> [(place: Missing, request: Wire.LoadAdapterRequest)] {
        let wanted = requestedAdapters.all
        if wanted.isEmpty { return [] }
        return instances.filter { $0.state == .ready }.flatMap {
            instance -> [(place: Missing, request: Wire.LoadAdapterRequest)] in
            let names = Set(instance.description.models.map(\.name))
            return wanted.compactMap { request -> (place: Missing, request: Wire.LoadAdapterRequest)? in
                let place = Missing(instance: instance.id, adapter: request.name)
                guard names.contains(request.model), !names.contains(request.name), !refused.contains(place) else {
                    return nil
                }
                return (place, request)
            }
        }
    }

    /// - Returns: whether the instance has it now, or has gone.
    private func load(_ request: Wire.LoadAdapterRequest, into instance: String) async -> Bool {
        guard let textModel else { return false }
        var options = CallOptions(timeout: .seconds(300), instanceID: instance)
        options.waitsForReady = false
        do {
            _ = try await textModel.call(Wire.TextModel.loadAdapter, request, options)
        } catch {
            return RPCError(converting: error).code == .unavailable
        }
        if !requestedAdapters.contains(request.name) {
            // It was unloaded everywhere meanwhile.
            let unload = Wire.UnloadAdapterRequest(model: request.model, name: request.name)
            _ = try? await textModel.call(Wire.TextModel.unloadAdapter, unload, options)
        }
        await waitUntilDescribed(request.name, isLoaded: requestedAdapters.contains(request.name), in: [instance])
        return true
    }
}
