import Testing

@testable import ModelHub

@Suite struct HubReferenceTests {
    @Test(
        arguments: [
            (
                "HuggingFaceTB/SmolLM2-135M-Instruct", "HuggingFaceTB/SmolLM2-135M-Instruct", "main", nil,
                "SmolLM2-135M-Instruct"
            ),
            ("hf:ORG/NAME-GGUF:Q4_K_M", "ORG/NAME-GGUF", "main", "Q4_K_M", "NAME"),
            ("gpt2", "gpt2", "main", nil, "gpt2"),
            ("a/b@refs/pr/1", "a/b", "refs/pr/1", nil, "b"),
            ("a/b@v1.0:x/y.gguf", "a/b", "v1.0", "x/y.gguf", "y"),
            ("a/b/q/m-Q4_0-00001-of-00003.gguf", "a/b", "main", "q/m-Q4_0-00001-of-00003.gguf", "m-Q4_0"),
        ] as [(String, String, String, String?, String)]) func `a model's name says repository, revision and file`(
            text: String, repository: String, revision: String, selection: String?, name: String
        ) throws
    {
        let reference = try HubReference(text)
        #expect(reference.repository == repository && reference.revision == revision)
        #expect(reference.selection == selection && reference.servedName == name)
    }

    @Test(arguments: [
        "", "/", "a/", "/b", "a//b", "../b", "a/..", "a/b@", "a/b:", "a b/c", "a/b:../../etc/passwd", "a/b:/etc/passwd",
        "a/b@../x", "a/b@x y", "a/b:x\0y", "-a/b", "a/b.git", "a--b/c", "a/b/../c", "hf:", "a/b\n",
        "https://huggingface.co/a/b",
    ]) func `what is no name of a model is refused`(text: String) {
        let error = #expect(throws: HubError.self) { try HubReference(text) }
        #expect(error?.code == .invalidName)
    }

    @Test func `two revisions are one too many`() throws {
        #expect(try HubReference("a/b", revision: "v2").revision == "v2")
        #expect(try HubReference("a/b@v2", revision: "v2").revision == "v2")
        #expect(throws: HubError.self) { try HubReference("a/b@v1", revision: "v2") }
        #expect(throws: HubError.self) { try HubReference("a/b", revision: "../x") }
    }

    @Test func `the settings are those of huggingface_hub`() throws {
        let plain = try HubSettings(environment: ["HOME": "/home/me"])
        #expect(plain.endpoint == "https://huggingface.co" && plain.cache == "/home/me/.cache/huggingface/hub")
        #expect(!plain.isOffline && plain.token == nil)
        let own = try HubSettings(environment: [
            "HOME": "/h", "HF_ENDPOINT": "https://mirror.example/", "HF_HUB_CACHE": "~/models", "HF_TOKEN": " hf_x\n",
            "HF_HUB_OFFLINE": "1",
        ])
        #expect(
            own.endpoint == "https://mirror.example" && own.cache == "/h/models" && own.token == "hf_x" && own.isOffline
        )
        #expect(try HubSettings(environment: ["HF_HOME": "/data/hf"]).cache == "/data/hf/hub")
        #expect(try HubSettings(environment: ["XDG_CACHE_HOME": "/c"]).cache == "/c/huggingface/hub")
        #expect(throws: HubError.self) { try HubSettings(environment: ["HF_ENDPOINT": "ftp://x"]) }
        let error = #expect(throws: HubError.self) { try HubSettings(environment: ["HF_TOKEN": "s3cret\r\nX: y"]) }
        #expect(error?.message.contains("s3cret") == false)
    }

    @Test func `a proxy is chosen by scheme and host`() {
        let proxies = ProxySettings([
            "HTTPS_PROXY": "http://p:3128", "http_proxy": "q:80", "NO_PROXY": "localhost, .inner.example,*.lan",
        ])
        #expect(proxies.proxy(scheme: "https", host: "huggingface.co") == "http://p:3128")
        #expect(proxies.proxy(scheme: "http", host: "huggingface.co") == "q:80")
        for host in ["localhost", "hub.inner.example", "inner.example", "HUB.LAN"] {
            #expect(proxies.proxy(scheme: "https", host: host) == nil, "\(host)")
        }
        #expect(proxies.proxy(scheme: "https", host: "notlocalhost") == "http://p:3128")
        #expect(ProxySettings(["ALL_PROXY": "socks5://s", "no_proxy": "*"]).proxy(scheme: "https", host: "x") == nil)
        let error = #expect(throws: HubError.self) { try ProxySettings.client(of: "ftp://me:s3cret@p") }
        #expect(error?.message.contains("s3cret") == false)
    }
}
