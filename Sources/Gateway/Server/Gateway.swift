import Accounts
import Hummingbird
import Messages
package import NIOCore
import RPC
package import StateKeeping

/// OpenAI's HTTP API over the fleet: the only process that faces users.
///
/// It holds what its routes share; each group of routes is a type of its own.
package struct Gateway: Sendable {
    let fleet: Fleet
    /// The largest body that is read, in bytes.
    let bodyLimit: Int
    /// Whether clients may load and unload adapters.
    let allowsAdapterUpdates: Bool
    /// Whether clients may have models reloaded.
    let allowsReload: Bool
    let admission: Admission
    let routing: RoutingSource
    let filters: FilterSet
    let labels: LabelSource
    let rates = RateLimits()
    let clients = ConnectedClients()
    let metrics = GatewayMetrics()
    /// nil: no key is asked for.
    let accounts: AccountKeeper?
    /// Where responses, conversations, files and batches are kept; nil for nowhere.
    package var state: (any StateSource)?
    private let signal = WorkSignal()
    /// nil: plain HTTP.
    package var certificates: CertificateSource?
    /// A stream without an event for this long is sent a comment line.
    package var keepAliveInterval: TimeAmount = .seconds(9)
    /// A stream's head is sent after this long at the latest: proxies wait no longer than half a minute for one. An error
    /// that comes later is an event.
    package var headDelay: TimeAmount = .seconds(8)
    /// Whether fields that the API's document does not know are refused.
    package var refusesUnknownFields = false
    /// Whose pages in browsers may use the API, beside the gateway's own.
    package var origins: Set<BrowserOrigin> = []

    /// - Parameter requestLimit: how many requests are under way at a time, at most.
    package init(
        fleet: Fleet, routing: RoutingSource, filters: FilterSet, labels: LabelSource = .standard,
        accounts: AccountKeeper? = nil,
        bodyLimit: Int = 4 << 20,
        requestLimit: Int = 2_048,
        allowsAdapterUpdates: Bool = false, allowsReload: Bool = false
    ) {
        (self.fleet, self.routing, self.accounts) = (fleet, routing, accounts)
        (self.filters, self.labels) = (filters, labels)
        self.bodyLimit = bodyLimit
        (self.allowsAdapterUpdates, self.allowsReload) = (allowsAdapterUpdates, allowsReload)
        admission = Admission(requestLimit: requestLimit)
    }

    func router() -> Router<GatewayContext> {
        let router = Router(context: GatewayContext.self, options: .autoGenerateHeadEndpoints)
        let allowed = AllowedMethods()
        router.add(middleware: RequestIdentity())
        if !origins.isEmpty { router.add(middleware: CrossOrigin(origins)) }
        router.add(middleware: ErrorForm(allowed: allowed))
        for group in routes { group.addRoutes(to: router) }
        allowed.record(router.routes)
        return router
    }

    /// Does the work that no client waits for, until the task is cancelled; what is under way then is left to other gateways.
    package func doWork() async {
        guard let store = responseStore, let batchStore else { return }
        let worker = ServiceDescription.newInstanceID()
        let responses = BackgroundResponses(
            route: responsesRoute, store: store, worker: worker)
        let batches = BatchWork(
            store: batchStore, responder: router().buildResponder(), fleet: fleet, worker: worker)
        guard let state, let fineTuningStore else { return }
        let models = FineTunedModels(models: fineTuningStore.models, fleet: fleet)
        let fineTuning = FineTuningWork(store: fineTuningStore, models: models, fleet: fleet, worker: worker)
        await GatewayWork(
            responses: responses, batches: batches, fineTuning: fineTuning,
            learned: LearnedRoutes(source: state, routing: routing), signal: signal
        ).run()
    }

    private var fileStore: FileStore? {
        state.map { source in
            FileStore(
                files: StateDocuments(kind: "file", source: source),
                uploads: StateDocuments(kind: "upload", source: source))
        }
    }

    private var batchStore: BatchStore? {
        guard let state, let fileStore else { return nil }
        return BatchStore(
            batches: StateDocuments(kind: "batch", source: state),
            lines: StateDocuments(kind: "batch line", source: state), files: fileStore)
    }

    private var fineTuningStore: FineTuningStore? {
        guard let state, let fileStore else { return nil }
        return FineTuningStore(
            jobs: StateDocuments(kind: "fine-tuning job", source: state),
            checkpoints: StateDocuments(kind: "fine-tuning checkpoint", source: state),
            models: StateDocuments(kind: "fine-tuned model", source: state), files: fileStore)
    }

    private var pipeline: RequestPipeline {
        RequestPipeline(
            admission: admission, keys: Authenticator(accounts: accounts), metrics: metrics, clients: clients,
            counters: fleet.counters, bodyLimit: bodyLimit,
            // The document is part of the program, and a test reads it.
            knownFields: refusesUnknownFields ? try? OpenAPIRoute.knownFields.get() : nil)
    }

    private var models: ModelRouter {
        ModelRouter(fleet: fleet, routing: routing, filters: filters, labels: labels, rates: rates)
    }

    private var streams: PromptStreams {
        PromptStreams(headDelay: headDelay, clients: clients, counters: fleet.counters)
    }

    private var responseStore: ResponseStore? {
        state.map { source in
            ResponseStore(
                responses: StateDocuments(kind: "response", source: source),
                conversations: ConversationStore(
                    conversations: StateDocuments(kind: "conversation", source: source),
                    items: StateDocuments(kind: "conversation item", source: source)))
        }
    }

    private var responsesRoute: ResponsesRoute {
        ResponsesRoute(
            pipeline: pipeline, models: models, streams: streams, conversations: Conversations(fleet: fleet),
            store: responseStore, work: signal)
    }

    private var routes: [any RouteGroup] {
        let keys = Authenticator(accounts: accounts)
        let (pipeline, models, streams) = (pipeline, models, streams)
        let prompts = PromptReader(fleet: fleet)
        let conversations = Conversations(fleet: fleet)
        let embeddings = EmbeddingsRoute(pipeline: pipeline, models: models, prompts: prompts, fleet: fleet)
        let faults = ConfigurationFaults(routing: routing, labels: labels, certificates: certificates)
        return [
            HealthRoutes(fleet: fleet),
            MetricsRoute(fleet: fleet, admission: admission, metrics: metrics, filters: filters, faults: faults),
            ModelsRoutes(
                keys: keys, fleet: fleet, routing: routing,
                fineTuned: fineTuningStore.map { FineTunedModels(models: $0.models, fleet: fleet) }),
            ChatRoute(
                pipeline: pipeline, models: models, streams: streams, conversations: conversations,
                drawings: ChatDrawings(fleet: fleet)),
            CompletionsRoute(pipeline: pipeline, models: models, streams: streams, prompts: prompts, fleet: fleet),
            responsesRoute, ResponseStateRoutes(keys: keys, clients: clients, store: responseStore),
            ConversationRoutes(pipeline: pipeline, store: responseStore?.conversations),
            AnthropicRoutes(
                pipeline: pipeline, models: models, streams: streams, conversations: conversations, routing: routing),
            FilesRoutes(keys: keys, admission: admission, store: fileStore),
            BatchRoutes(pipeline: pipeline, store: batchStore, work: signal),
            MessageBatchRoutes(pipeline: pipeline, store: batchStore, work: signal),
            FineTuningRoutes(
                pipeline: pipeline, store: fineTuningStore, fleet: fleet, routing: routing, work: signal),
            OllamaRoutes(
                pipeline: pipeline, models: models, conversations: conversations, prompts: prompts,
                embeddings: embeddings, fleet: fleet),
            OllamaModels(pipeline: pipeline, keys: keys, fleet: fleet, routing: routing, forms: conversations.forms),
            embeddings,
            RerankRoutes(pipeline: pipeline, models: models, scorer: PairScorer(fleet: fleet)),
            ImagesRoute(pipeline: pipeline, models: models, streams: streams, fleet: fleet),
            ModerationsRoute(pipeline: pipeline, moderator: filters.moderator),
            WatermarkRoute(pipeline: pipeline, fleet: fleet, routing: routing, labels: labels),
            ProvenanceRoute(pipeline: pipeline, fleet: fleet, routing: routing, labels: labels),
            TokensRoutes(pipeline: pipeline, conversations: conversations, routing: routing),
            PresetsRoute(keys: keys, routing: routing),
            UsageRoute(keys: keys),
            FeedbackRoute(pipeline: pipeline, keys: keys),
            AdaptersRoutes(pipeline: pipeline, fleet: fleet, isAllowed: allowsAdapterUpdates),
            ReloadRoute(keys: keys, fleet: fleet, isAllowed: allowsReload),
            RoutingRoute(pipeline: pipeline, routing: routing),
            StatusRoute(keys: keys, fleet: fleet, admission: admission, filters: filters, faults: faults),
            PageRoutes(), OpenAPIRoute(),
        ]
    }
}
