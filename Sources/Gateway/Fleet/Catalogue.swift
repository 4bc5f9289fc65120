import Messages
import RPC
import Synchronization

/// The models that instances have, worked out anew when something has changed there.
final class Catalogue: Sendable {
    struct Contents: Sendable {
        fileprivate struct Vocabulary: Hashable {
            var model: String
            var hash: String
        }

        /// Every model that some instance serves, by name.
        fileprivate(set) var served: [String: ModelDescription] = [:]
        /// Every model that has ever been seen: one whose last instance has gone is waited for, not denied.
        fileprivate(set) var known: [String: ModelDescription] = [:]
        /// What ready instances serve, one each; nothing that is retiring.
        fileprivate(set) var ready: [String: [ModelDescription]] = [:]
        fileprivate var vocabularies: Set<Vocabulary> = []

        /// Whether some tokenizer has the vocabulary with this hash.
        func hasTokenizer(_ hash: String, for model: String) -> Bool {
            hash.isEmpty || vocabularies.contains(Vocabulary(model: model, hash: hash))
        }
    }

    private struct State {
        /// Generations of the clients that the contents were worked out from.
        var generations: [UInt64] = []
        var contents = Contents()
    }

    private let state = Mutex(State())

    /// - Parameter kept: adapters that are loaded again where they are missing.
    func contents(
        text: RPCClient?, pictures: RPCClient?, tokenizer: RPCClient?, kept: RequestedAdapters
    ) -> Contents {
        // What changes while it is looked at makes the next one look again.
        let generations = [text, pictures, tokenizer].map { $0?.generation ?? 0 } + [kept.generation]
        let same = state.withLock { $0.generations == generations ? $0.contents : nil }
        if let same { return same }
        let instances = [text, pictures].flatMap { $0?.instances ?? [] }
        let vocabularies = (tokenizer?.readyInstances ?? []).flatMap(\.description.models)
        return state.withLock { state in
            state.contents.update(instances, vocabularies, kept)
            state.generations = generations
            return state.contents
        }
    }
}

extension Catalogue.Contents {
    fileprivate mutating func update(
        _ instances: [Instance], _ vocabularies: [ModelDescription], _ kept: RequestedAdapters
    ) {
        let current = instances.flatMap(\.description.models).map { ($0.name, $0) }
        let served = Dictionary(current) { $0.isRetiring ? $1 : $0 }
        known.merge(served) { $1 }
        // An adapter whose model is there without it was unloaded, and does not come back by itself.
        known = known.filter { name, model in
            guard let parent = model.parent else { return true }
            return served[name] != nil || served[parent] == nil || kept.contains(name)
        }
        let usable = instances.filter { $0.state == .ready }.flatMap(\.description.models).filter { !$0.isRetiring }
        (self.served, ready) = (served, Dictionary(grouping: usable, by: \.name))
        self.vocabularies = Set(vocabularies.map { Vocabulary(model: $0.name, hash: $0.numericsID) })
    }
}
