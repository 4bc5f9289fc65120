// swift-tools-version: 6.2
import PackageDescription

// The architecture is read here: a target imports only targets of lower layers.

/// Modules that own C memory, sockets or raw pointers.
let foundation: [SwiftSetting] = [
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("ExistentialAny"),
    .treatAllWarnings(as: .error),
]

/// Every other module: the compiler itself refuses unsafe code.
let safe: [SwiftSetting] = foundation + [.strictMemorySafety()]

let package = Package(
    name: "nephele",
    products: [],
    dependencies: [
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.2"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        // Without its traits for swift-configuration, which nothing here uses.
        .package(
            url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: ["FullFoundation"]),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Layer 0: C
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CZeroMQ", providers: [.apt(["libzmq3-dev"])]),
        .systemLibrary(name: "CProtobufC", providers: [.apt(["libprotobuf-c-dev"])]),
        .systemLibrary(name: "CPCRE2", providers: [.apt(["libpcre2-dev"])]),
        .systemLibrary(name: "CPNG", providers: [.apt(["libpng-dev"])]),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "CMessages", dependencies: ["CProtobufC"]),
        .target(name: "CKernels"),
        .target(name: "CMPI"),

        // Layer 1: foundations
        .target(name: "Concurrency", dependencies: ["CLinux"], swiftSettings: foundation),
        .testTarget(name: "ConcurrencyTests", dependencies: ["Concurrency"], swiftSettings: foundation),
        .target(name: "Messages", dependencies: ["CMessages", "CProtobufC"], swiftSettings: foundation),
        .testTarget(
            name: "MessagesTests", dependencies: ["Messages"], resources: [.copy("Goldens")], swiftSettings: foundation),
        .target(name: "ZeroMQ", dependencies: ["CLinux", "CZeroMQ"], swiftSettings: foundation),
        .target(name: "RegularExpressions", dependencies: ["CPCRE2"], swiftSettings: foundation),
        .target(name: "PNG", dependencies: ["CPNG"], swiftSettings: foundation),
        .testTarget(name: "PNGTests", dependencies: ["CPNG", "PNG"], swiftSettings: foundation),
        .target(name: "Compression", dependencies: ["CZlib"], swiftSettings: foundation),
        .testTarget(name: "CompressionTests", dependencies: ["Compression"], swiftSettings: foundation),
        .target(
            name: "EmbeddedModels", exclude: ["Training"], resources: [.copy("Resources/models")], swiftSettings: safe),

        .target(name: "JSON", swiftSettings: safe),
        .testTarget(name: "JSONTests", dependencies: ["JSON"], swiftSettings: safe),
        .target(name: "GGUF", swiftSettings: safe),
        .testTarget(name: "GGUFTests", dependencies: ["GGUF"], swiftSettings: safe),
        .target(name: "Jinja", swiftSettings: safe),
        .testTarget(
            name: "JinjaTests", dependencies: ["Jinja"], exclude: ["make_goldens.py"],
            resources: [.copy("Goldens")], swiftSettings: safe),

        .target(name: "Console", dependencies: ["CLinux"], swiftSettings: safe),
        .testTarget(name: "ConsoleTests", dependencies: ["Console"], swiftSettings: safe),
        .target(
            name: "ConfigurationFiles", dependencies: [.product(name: "Yams", package: "Yams")], swiftSettings: safe),
        .testTarget(name: "ConfigurationFilesTests", dependencies: ["ConfigurationFiles"], swiftSettings: safe),
        .target(name: "Watermarking", swiftSettings: safe),
        .testTarget(
            name: "WatermarkingTests", dependencies: ["Watermarking"], exclude: ["make_goldens.py"],
            resources: [.copy("Goldens")], swiftSettings: safe),
        .target(name: "Observability", swiftSettings: safe),
        .testTarget(name: "ObservabilityTests", dependencies: ["Observability"], swiftSettings: safe),
        .target(name: "GatewayClient", swiftSettings: safe),
        .testTarget(
            name: "GatewayClientTests",
            dependencies: ["GatewayClient", .product(name: "Hummingbird", package: "hummingbird")],
            swiftSettings: safe),
        .target(
            name: "Supervision", dependencies: [.product(name: "Logging", package: "swift-log")], swiftSettings: safe),
        .testTarget(
            name: "SupervisionTests",
            dependencies: ["Supervision", .product(name: "Logging", package: "swift-log")], swiftSettings: safe),

        // Layer 2: abstractions
        .target(name: "RPC", dependencies: ["Concurrency", "Messages"], swiftSettings: safe),
        .testTarget(name: "RPCTests", dependencies: ["Messages", "RPC"], swiftSettings: safe),
        .target(
            name: "Tensors",
            dependencies: ["CKernels", "Concurrency", "GGUF", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: foundation),
        .testTarget(
            name: "TensorsTests", dependencies: ["Tensors", "CKernels"], exclude: ["Goldens", "make_block_goldens.py"],
            swiftSettings: foundation),
        .target(
            name: "Tokenizers",
            dependencies: [
                "GGUF", "JSON", "Jinja", "RegularExpressions",
                .product(name: "HeapModule", package: "swift-collections"),
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: safe),
        .testTarget(
            name: "TokenizersTests",
            dependencies: ["JSON", "Jinja", "Tokenizers", .product(name: "Crypto", package: "swift-crypto")],
            exclude: ["make_published.py"], resources: [.copy("Goldens")],
            swiftSettings: safe),

        .target(name: "Grammars", dependencies: ["JSON"], swiftSettings: safe),
        .testTarget(
            name: "GrammarsTests", dependencies: ["Grammars", "JSON", "RegularExpressions"],
            exclude: ["make_gbnf.py", "make_lark.py"],
            resources: [.copy("Goldens")], swiftSettings: safe),

        .target(
            name: "Accounts",
            dependencies: [
                "ConfigurationFiles",
                .product(name: "Crypto", package: "swift-crypto"), .product(name: "GRDB", package: "GRDB.swift"),
            ], swiftSettings: safe),
        .testTarget(name: "AccountsTests", dependencies: ["Accounts"], swiftSettings: safe),
        .target(
            name: "PromptRouting", dependencies: ["ConfigurationFiles", "RegularExpressions"],
            resources: [.embedInCode("standard.yaml"), .embedInCode("presets.yaml")], swiftSettings: safe),
        .testTarget(
            name: "PromptRoutingTests", dependencies: ["ConfigurationFiles", "PromptRouting"], swiftSettings: safe),

        .target(
            name: "ContentLabels",
            dependencies: [
                "ConfigurationFiles", "JSON", "PNG", "Watermarking",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "X509", package: "swift-certificates"),
            ], swiftSettings: safe),
        .testTarget(
            name: "ContentLabelsTests",
            dependencies: [
                "ConfigurationFiles", "ContentLabels", "PNG", "Watermarking",
                .product(name: "Crypto", package: "swift-crypto"),
            ], exclude: ["make_certificates.py", "make_credentials.py", "read_pictures.py"],
            resources: [.copy("Goldens")],
            swiftSettings: safe),

        .target(
            name: "ContentFilter", dependencies: ["ConfigurationFiles", "RegularExpressions"],
            exclude: ["Training"], swiftSettings: safe),
        .testTarget(
            name: "ContentFilterTests", dependencies: ["ConfigurationFiles", "ContentFilter"], swiftSettings: safe),

        .target(
            name: "ModelHub",
            dependencies: [
                "Concurrency", "GGUF", "JSON",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"), .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ], swiftSettings: safe),
        .testTarget(
            name: "ModelHubTests",
            dependencies: [
                "ModelHub", .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Hummingbird", package: "hummingbird"),
            ],
            exclude: ["hub_client.py", "network.py"], swiftSettings: safe),

        // Layer 3: bindings, layers, serving
        .target(name: "ChatFormats", dependencies: ["Grammars", "JSON"], swiftSettings: safe),
        .testTarget(
            name: "ChatFormatsTests", dependencies: ["ChatFormats", "Grammars", "JSON"],
            exclude: ["Goldens/make_calls.py"], resources: [.copy("Goldens/calls.json")], swiftSettings: safe),
        .target(
            name: "DataPreparation",
            dependencies: [
                "Compression", "ContentFilter", "JSON", "Tokenizers",
                .product(name: "Crypto", package: "swift-crypto"),
            ], swiftSettings: safe),
        .testTarget(
            name: "DataPreparationTests",
            dependencies: ["Compression", "ContentFilter", "DataPreparation", "JSON", "Tokenizers"],
            exclude: ["make_goldens.py"], resources: [.copy("Goldens")], swiftSettings: safe),
        .target(name: "ModelServing", dependencies: ["Concurrency", "Messages", "RPC"], swiftSettings: safe),
        .testTarget(
            name: "ModelServingTests", dependencies: ["Messages", "ModelServing", "RPC"], swiftSettings: safe),
        .target(
            name: "StateKeeping",
            dependencies: ["Messages", "RPC", .product(name: "GRDB", package: "GRDB.swift")], swiftSettings: safe),
        .testTarget(
            name: "StateKeepingTests", dependencies: ["Messages", "RPC", "StateKeeping"], swiftSettings: safe),
        .target(
            name: "ZeroMQTransport",
            dependencies: [
                "Concurrency", "Messages", "RPC", "ZeroMQ",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: safe),
        .target(name: "MPI", dependencies: ["CMPI", "Tensors"], swiftSettings: foundation),
        .target(name: "Layers", dependencies: ["Tensors"], swiftSettings: safe),
        .testTarget(
            name: "LayersTests", dependencies: ["Layers", "Tensors"], exclude: ["Goldens", "make_rotary_goldens.py"],
            swiftSettings: safe),

        // Layer 4: models
        .target(
            name: "TextModels", dependencies: ["GGUF", "JSON", "Layers", "RegularExpressions", "Tensors"],
            swiftSettings: safe),
        .testTarget(
            name: "TextModelsTests",
            dependencies: ["Layers", "ModelTesting", "TextGeneration", "TextModels", "Tensors", "Tokenizers"],
            exclude: ["Goldens"], swiftSettings: safe),
        .target(
            name: "DiffusionModels", dependencies: ["Layers", "PNG", "Tensors"], swiftSettings: safe),
        .testTarget(
            name: "DiffusionModelsTests", dependencies: ["DiffusionModels", "Tensors", "EmbeddedModels"],
            exclude: ["compare_with_diffusers.py"], resources: [.copy("Goldens")], swiftSettings: safe),

        .target(name: "Autograd", dependencies: ["Layers", "Tensors"], swiftSettings: safe),
        .testTarget(
            name: "AutogradTests", dependencies: ["Autograd", "Layers", "Tensors"], exclude: ["make_gradients.py"],
            resources: [.copy("Goldens")], swiftSettings: safe),

        // Layer 5: engines
        .target(
            name: "TextGeneration",
            dependencies: [
                "ChatFormats", "GGUF", "Grammars", "JSON", "Layers", "Tensors", "TextModels", "Tokenizers",
                "Watermarking",
                .product(name: "HeapModule", package: "swift-collections"),
            ],
            swiftSettings: safe),
        .testTarget(
            name: "TextGenerationTests",
            dependencies: [
                "Grammars", "JSON", "Layers", "ModelTesting", "Tensors", "TextGeneration", "TextModels", "Tokenizers",
                "Watermarking",
            ],
            swiftSettings: safe),

        .target(
            name: "Training",
            dependencies: ["Autograd", "JSON", "Layers", "Tensors", "TextModels", "Tokenizers"], swiftSettings: safe),
        .testTarget(
            name: "TrainingTests",
            dependencies: [
                "Autograd", "JSON", "Layers", "ModelTesting", "Tensors", "TextGeneration", "TextModels", "Tokenizers",
                "Training",
            ], exclude: ["make_optimizer_goldens.py", "make_text_goldens.py", "make_training_goldens.py"],
            resources: [.copy("Goldens")], swiftSettings: safe),

        // Layer 6: services
        // For tests: tiny checkpoints, an engine run to its end
        .target(
            name: "ModelTesting", dependencies: ["Tensors", "TextGeneration", "Watermarking"],
            path: "Tests/ModelTesting",
            swiftSettings: safe),
        .target(
            name: "TokenizerService", dependencies: ["JSON", "Messages", "ModelServing", "RPC", "Tokenizers"],
            swiftSettings: safe),
        .target(
            name: "TextModelService",
            dependencies: [
                "Concurrency", "GGUF", "Grammars", "Layers", "Messages", "ModelServing", "RPC", "Tensors",
                "TextGeneration", "TextModels", "Tokenizers", "Watermarking",
            ],
            swiftSettings: safe),
        .testTarget(
            name: "TextModelServiceTests",
            dependencies: [
                "Layers", "Messages", "RPC", "Tensors", "TextGeneration", "TextModels", "TextModelService",
                "Tokenizers",
                "TokenizerService",
                "ZeroMQTransport",
            ],
            swiftSettings: safe),
        .target(
            name: "DiffusionService",
            dependencies: ["Concurrency", "DiffusionModels", "Messages", "ModelServing", "RPC", "Tensors"],
            swiftSettings: safe),
        .testTarget(
            name: "DiffusionServiceTests",
            dependencies: [
                "DiffusionModels", "DiffusionService", "Messages", "ModelServing", "RPC", "Tensors",
                "ZeroMQTransport",
            ],
            swiftSettings: safe),
        .target(
            name: "Learning",
            dependencies: [
                "Accounts", "ContentFilter", "GatewayClient", "Messages", "PromptRouting", "RPC", "StateKeeping",
            ], swiftSettings: safe),
        .testTarget(
            name: "LearningTests",
            dependencies: ["Accounts", "ContentFilter", "Learning", "PromptRouting", "StateKeeping"],
            swiftSettings: safe),
        .target(
            name: "TrainerService",
            dependencies: ["Concurrency", "Layers", "Messages", "RPC", "Tensors", "Training"], swiftSettings: safe),
        .target(
            name: "TextModelOptions",
            dependencies: [
                "Layers", "ModelServing", "Tensors", "TextGeneration", "TextModels",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: safe),
        .target(
            name: "ServiceRuntime",
            dependencies: [
                "ConfigurationFiles", "EmbeddedModels", "GGUF", "RPC",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: safe),
        .testTarget(
            name: "ServiceRuntimeTests",
            dependencies: [
                "ConfigurationFiles", "ServiceRuntime", .product(name: "Logging", package: "swift-log"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], swiftSettings: safe),
        .target(
            name: "Gateway",
            dependencies: [
                "Accounts", "ChatFormats", "Concurrency", "ConfigurationFiles", "ContentFilter", "ContentLabels",
                "Grammars", "JSON", "Messages", "Observability", "PromptRouting", "RPC", "StateKeeping", "Watermarking",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"), .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            resources: [
                .embedInCode("Page/index.html"), .embedInCode("Page/page.js"), .embedInCode("Page/page.css"),
                .embedInCode("OpenAPI/paths.yaml"), .embedInCode("OpenAPI/components.yaml"),
                .embedInCode("OpenAPI/answers.yaml"), .embedInCode("OpenAPI/kept-paths.yaml"),
                .embedInCode("OpenAPI/kept.yaml"),
            ],
            swiftSettings: safe),
        .testTarget(
            name: "GatewayTests",
            dependencies: [
                "Accounts", "ChatFormats", "Concurrency", "ConfigurationFiles", "ContentFilter", "ContentLabels",
                "DiffusionModels",
                "DiffusionService", "Gateway", "Layers", "Messages", "ModelServing", "PNG", "PromptRouting", "RPC",
                "StateKeeping", "Tensors",
                "TextGeneration", "TextModels", "TextModelService", "TokenizerService", "ZeroMQTransport",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            exclude: [
                "Clients/anthropic_client.py", "Clients/instructor_client.py", "Clients/langchain_client.py",
                "Clients/litellm_client.py", "Clients/ollama_client.py", "Clients/openai_agents_client.py",
                "Clients/openai_client.py",
                "Clients/pydantic_ai_client.py",
            ],
            swiftSettings: safe),
        .testTarget(name: "DeploymentTests", swiftSettings: safe),
        .testTarget(name: "FuzzTests", dependencies: ["fuzz"], swiftSettings: safe),
        .testTarget(
            name: "Chaos",
            dependencies: [
                "Console", "EmbeddedModels", "GatewayClient", "Supervision", "nephele", "nephele-diffusion",
                "nephele-gateway",
                "nephele-text-model", "nephele-tokenizer", "nephele-trainer", "poisonable-text-model",
                .product(name: "Logging", package: "swift-log"),
            ],
            exclude: ["fine_tuning_client.py", "run"], swiftSettings: foundation),
        .target(
            name: "Evaluation",
            dependencies: [
                "ContentFilter", "DataPreparation", "DiffusionModels", "PNG", "Tensors", "TextGeneration", "TextModels",
                "Tokenizers",
            ],
            resources: [.embedInCode("Resources/facts.json"), .embedInCode("Resources/pairs.json")],
            swiftSettings: safe),
        .testTarget(
            name: "EvaluationTests",
            dependencies: [
                "ContentFilter", "DataPreparation", "DiffusionModels", "EmbeddedModels", "Evaluation", "ModelTesting",
                "Tensors", "TextGeneration",
            ],
            exclude: ["compare_with_transformers.py", "make_goldens.py"], resources: [.copy("Goldens")],
            swiftSettings: safe),
        .target(
            name: "Benchmarks",
            dependencies: [
                "ContentFilter", "Messages", "RPC", "Tensors", "TextGeneration", "TextModels", "Tokenizers",
                "Watermarking", "ZeroMQ", "ZeroMQTransport",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: safe),
        .testTarget(
            name: "ZeroMQTransportTests",
            dependencies: ["Benchmarks", "Messages", "RPC", "ZeroMQ", "ZeroMQTransport", "nephele"],
            swiftSettings: foundation),

        // Layer 7: executables
        .executableTarget(
            name: "nephele-tokenizer",
            dependencies: [
                "RPC", "ServiceRuntime", "TokenizerService", "Tokenizers", "ZeroMQTransport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: safe),
        .executableTarget(
            name: "nephele-text-model",
            dependencies: [
                "Concurrency", "Layers", "ModelServing", "RPC", "ServiceRuntime", "Tensors", "TextGeneration",
                "TextModelOptions", "TextModelService", "TextModels",
                "ZeroMQTransport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: safe),
        .executableTarget(
            name: "nephele-diffusion",
            dependencies: [
                "DiffusionService", "ModelServing", "RPC", "ServiceRuntime", "Tensors", "ZeroMQTransport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: safe),
        .executableTarget(
            name: "nephele-trainer",
            dependencies: [
                "Layers", "RPC", "ServiceRuntime", "TextModelOptions", "TrainerService", "ZeroMQTransport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: safe),
        .executableTarget(
            name: "nephele",
            dependencies: [
                "Accounts", "Benchmarks", "Console", "ContentFilter", "ContentLabels", "DataPreparation",
                "DiffusionModels",
                "EmbeddedModels", "Evaluation",
                "GatewayClient", "Learning", "MPI", "ModelHub", "ModelServing", "PNG",
                "PromptRouting",
                "RPC",
                "ServiceRuntime", "StateKeeping", "Supervision", "Tensors", "TextGeneration", "TextModelOptions",
                "TextModels", "Tokenizers", "Training", "ZeroMQTransport", "Layers",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: safe),
        .testTarget(
            name: "NepheleTests",
            dependencies: [
                "EmbeddedModels", "ServiceRuntime", "Supervision", "Tensors", "TextModelOptions", "TextModels",
                "Training", "nephele", "nephele-diffusion",
                "nephele-gateway", "nephele-text-model",
                "nephele-tokenizer", "nephele-trainer",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], swiftSettings: safe),
        .executableTarget(
            name: "nephele-gateway",
            dependencies: [
                "Accounts", "Gateway", "Messages", "RPC", "ServiceRuntime", "StateKeeping", "ZeroMQTransport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: safe),
        // For tests: nearly valid bytes for whatever reads bytes from outside
        .executableTarget(
            name: "fuzz",
            dependencies: [
                "Benchmarks", "CKernels", "Concurrency", "ContentLabels", "DiffusionModels", "DiffusionService",
                "Gateway",
                "Messages",
                "ModelHub", "PNG", "PromptRouting", "RPC", "Tensors", "TextGeneration", "TextModelService",
                "TextModels",
                "TokenizerService", "Tokenizers", "Layers",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/Fuzz", exclude: ["run"], swiftSettings: foundation),
        // For tests: a text-model that a token kills
        .executableTarget(
            name: "poisonable-text-model",
            dependencies: [
                "Layers", "RPC", "ServiceRuntime", "Tensors", "TextGeneration", "TextModelService", "TextModels",
                "ZeroMQTransport", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Tests/PoisonableTextModel", swiftSettings: safe),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c17
)
