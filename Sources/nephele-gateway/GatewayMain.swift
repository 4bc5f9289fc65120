import Accounts
import ArgumentParser
import Foundation
import Gateway
import Logging
import Messages
import RPC
import ServiceLifecycle
import ServiceRuntime
import StateKeeping
import UnixSignals
import ZeroMQTransport

@main
struct GatewayMain: ConfigurableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nephele-gateway", abstract: "Speaks OpenAI's HTTP API for the services on the bus.")

    @Option(name: .long, help: "The tokenizers: ipc:///path/tokenizer-*.sock, tcp://host:port or dns://name:port.")
    var tokenizer: String?

    @Option(name: .long, help: "The text-models: ipc:///path/text-model-*.sock, tcp://host:port or dns://name:port.")
    var textModel: String?

    @Option(
        name: .long,
        help: "The later shards of text-models that are cut; only /admin/status asks them. Again for each shard.")
    var textShard: [String] = []

    @Option(name: .long, help: "The diffusion services, as the others; without it no pictures are drawn.")
    var diffusion: String?

    @Option(help: "The trainers, as the others; without it there is no fine-tuning.")
    var trainer: String?

    @Option(help: "A model without which /readyz is 503; may be repeated.")
    var expectModel: [String] = []

    @OptionGroup var common: GatewayOptions

    @Option(
        help: ArgumentHelp(
            "Lets pages of that origin use the API in browsers, https://app.example, or of any, *; may be repeated.",
            valueName: "origin"))
    var allowOrigin: [BrowserOrigin] = []

    @Option(help: ArgumentHelp("A further policy, for routes to name; may be repeated.", valueName: "name=file"))
    var filterPolicy: [String] = []

    @Option(
        help: ArgumentHelp(
            "Where the accounts are served to other gateways: tcp://0.0.0.0:7010 or ipc:///path/accounts.sock.",
            valueName: "endpoint"))
    var accountsBind: String?

    @Option(
        help: ArgumentHelp(
            "The gateway that has the accounts and serves them with --accounts-bind: dns://accounts:7010.",
            valueName: "target"))
    var accountsAt: String?

    @Option(help: "Requests under way at a time, at most; the next are refused with 503.")
    var requestLimit: Int = 2_048

    @Option(help: "Connections, at most, as far as files may be open; further ones wait to be accepted.")
    var connectionLimit: Int = 8_192

    @Option(
        help: ArgumentHelp(
            "A certificate chain in PEM form: the gateway speaks HTTPS then. Read again when it changes, and on SIGHUP.",
            valueName: "file"))
    var tlsCertificate: String?

    @Option(help: ArgumentHelp("The private key of --tls-certificate, in PEM form.", valueName: "file"))
    var tlsKey: String?

    @Option(name: .long, help: "A file to which the port is written once the gateway listens.")
    var portFile: String?

    @OptionGroup var process: ProcessOptions

    static let sections = [ConfigurationSection("gateway", Self.self)]
    static let alternatives = [["accounts", "accounts-at"]]

    func validate() throws {
        guard (tokenizer == nil) == (textModel == nil) else {
            throw ValidationError("--tokenizer and --text-model go together: text needs both")
        }
        guard tokenizer != nil || diffusion != nil || accountsBind != nil else {
            throw ValidationError(
                "give --tokenizer and --text-model, or --diffusion, or all three; --accounts-bind alone for one that only "
                    + "keeps accounts for others")
        }
        guard (1...1_048_576).contains(requestLimit), (1...1_048_576).contains(connectionLimit) else {
            throw ValidationError("--request-limit and --connection-limit take 1 to 1048576")
        }
        guard (tlsCertificate == nil) == (tlsKey == nil) else {
            throw ValidationError("--tls-certificate and --tls-key go together")
        }
        guard accountsAt == nil || (common.accounts == nil && accountsBind == nil) else {
            throw ValidationError("--accounts-at names the gateway that has the accounts; give this one no file")
        }
    }

    func run() async throws {
        ServiceLog.bootstrap()
        try ZeroMQTransport.share(keysIn: process.busKeys)
        let trace = [RequestTrace.Propagation()]
        var fleet = Fleet(
            tokenizer: try tokenizer.map { try RPCClient(target: $0, interceptors: trace) },
            textModel: try textModel.map { try RPCClient(target: $0, interceptors: trace) },
            diffusion: try diffusion.map { try RPCClient(target: $0, interceptors: trace) },
            textShards: try textShard.map { try RPCClient(target: $0, interceptors: trace) },
            trainer: try trainer.map { try RPCClient(target: $0, interceptors: trace) })
        fleet.expectedModels = Set(expectModel)
        let portFile = portFile
        let routing = try RoutingSource(file: common.routes)
        let keeper = try accountKeeper()
        let filters = try FilterSet(standard: common.filter, policies: filterPolicy)
        let labels = try LabelSource(labels: common.labels)
        var gateway = Gateway(
            fleet: fleet, routing: routing, filters: filters, labels: labels, accounts: keeper,
            requestLimit: requestLimit, allowsAdapterUpdates: common.allowAdapterUpdates,
            allowsReload: common.allowReload)
        gateway.refusesUnknownFields = common.strictFields
        let stateFile = common.state == "off" ? nil : common.state ?? common.accounts
        let store = try stateFile.map { try StateStore(file: $0) }
        gateway.state = store
        if store == nil, common.state != "off", let accountsAt {
            gateway.state = RemoteState(try RPCClient(target: accountsAt))
        }
        // The bus's connections need files too.
        gateway.origins = Set(allowOrigin)
        let files = OpenFileLimit.current.map { max(16, $0 - 256) } ?? connectionLimit
        var address = GatewayAddress(host: common.host, port: common.port)
        address.connectionLimit = min(connectionLimit, files)
        if let tlsCertificate, let tlsKey {
            gateway.certificates = try CertificateSource(chain: tlsCertificate, key: tlsKey)
        }
        let application = try gateway.application(at: address) { channel in
            guard let portFile, let port = channel.localAddress?.port else { return }
            do {
                try Data("\(port)\n".utf8).write(to: URL(fileURLWithPath: portFile), options: .atomic)
            } catch {
                Logger(label: "nephele-gateway").error("cannot write \(portFile): \(error.localizedDescription)")
            }
        }
        var services: [any Service] = [
            AdapterKeeping(fleet: fleet),
            ConfigurationWatch(routing: routing, labels: labels, certificates: gateway.certificates),
        ]
        services.append(GatewayWork(gateway: gateway, store: store))
        if let accountsBind, let service = keeper?.service {
            // Services stop in the order opposite to their start: others may ask until this gateway's requests have ended.
            let server = RPCServer(
                ServiceDescription(service: "accounts"),
                services: [service] + (store.map { [StateService($0)] } ?? []),
                transports: [try ZeroMQTransport.shared().server(accountsBind)])
            services.insert(ServerLifetime(server, label: "nephele-gateway"), at: 0)
        }
        if let keeper { services.append(UsageWriting(keeper: keeper)) }
        try await ServiceProcess.run(
            services + [application], label: "nephele-gateway")
    }

    /// - Returns: nil where everybody may come in.
    private func accountKeeper() throws -> AccountKeeper? {
        if let accountsAt {
            return AccountKeeper(client: try RPCClient(target: accountsAt), isRecording: common.record)
        }
        guard let file = common.accounts else {
            guard !common.record, accountsBind == nil else {
                throw ValidationError("--record and --accounts-bind need --accounts FILE, where keys are kept")
            }
            return nil
        }
        return AccountKeeper(store: try AccountStore(file: file), isRecording: common.record)
    }
}

extension BrowserOrigin: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}

/// Makes the answers that no client waits for, and forgets what has been kept long enough.
private struct GatewayWork: Service {
    let gateway: Gateway
    let store: StateStore?

    private static let interval: Duration = .seconds(60)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await gateway.doWork() }
                group.addTask {
                    while !Task.isCancelled {
                        do { try await store?.removeExpired() } catch {
                            Logger(label: "nephele-gateway").error("what has been kept long enough stays: \(error)")
                        }
                        try? await Task.sleep(for: Self.interval)
                    }
                }
            }
        }
    }
}

/// Writes usage down, the last of it when all requests have ended: services stop in the order opposite to their start.
private struct UsageWriting: Service {
    let keeper: AccountKeeper

    func run() async { await cancelWhenGracefulShutdown { await keeper.run() } }
}

/// Reads routes, labels and certificates again when their files change, or when it is asked to by SIGHUP.
private struct ConfigurationWatch: Service {
    let routing: RoutingSource
    let labels: LabelSource
    let certificates: CertificateSource?

    func run() async {
        let signals = await UnixSignalsSequence(trapping: .sighup)
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await routing.watch() }
                group.addTask { await labels.watch() }
                group.addTask { await certificates?.watch() }
                for await _ in signals {
                    routing.reload()
                    labels.reload()
                    certificates?.reload()
                }
                group.cancelAll()
            }
        }
    }
}

/// Gives replicas that start later the adapters that clients have had loaded.
private struct AdapterKeeping: Service {
    let fleet: Fleet

    func run() async throws {
        await cancelWhenGracefulShutdown { await fleet.keepAdapters() }
        // A gateway without text has none to keep; a service that returns would end the process.
        try await gracefulShutdown()
    }
}
