import Testing

@testable import ModelHub

@Suite struct NeededFilesTests {
    private func needed(_ paths: [String], _ reference: String = "org/model") throws -> NeededFiles {
        let files = paths.map { HubFile(path: $0, size: 1, digest: .gitBlob("")) }
        return try NeededFiles(of: files, for: try HubReference(reference))
    }

    private func paths(_ paths: [String], _ reference: String = "org/model") throws -> Set<String> {
        Set(try needed(paths, reference).files.map(\.path))
    }

    @Test func `of a model in several formats the safetensors come, with what describes them`() throws {
        let wanted = [
            "config.json", "generation_config.json", "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
            "additional_chat_templates/tools.jinja", "special_tokens_map.json", "tokenizer.model",
        ]
        let others = [
            "README.md", ".gitattributes", "LICENSE", "original/consolidated.00.pth", "original/params.json",
            "pytorch_model.bin", "onnx/model.onnx", "onnx/config.json", "openvino/openvino_model.bin",
            "flax_model.msgpack",
            "tf_model.h5", "model.fp16.safetensors", "consolidated.safetensors", "trainer_state.json",
            "eval/results.json",
            "runs/events.out", "model-Q4_K_M.gguf", "model.safetensors.fp16.index.json",
        ]
        #expect(try paths(wanted + others) == Set(wanted))
        #expect(try needed(wanted + others).file == nil)
    }

    @Test func `of a sentence encoder its layers come too`() throws {
        let wanted = [
            "config.json", "model.safetensors", "modules.json", "config_sentence_transformers.json",
            "sentence_bert_config.json", "1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors",
            "tokenizer.json", "vocab.txt",
        ]
        #expect(
            try paths(wanted + ["2_Dense/pytorch_model.bin", "onnx/model.onnx", "data_config.json"]) == Set(wanted))
    }

    @Test func `of an adapter and of a picture model their own files come`() throws {
        let adapter = ["adapter_config.json", "adapter_model.safetensors", "tokenizer.json"]
        #expect(try paths(adapter + ["training_args.bin", "README.md"]) == Set(adapter))
        let picture = [
            "model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors",
            "scheduler/scheduler_config.json",
        ]
        #expect(try paths(picture + ["unet/diffusion_pytorch_model.bin", "samples/a.png"]) == Set(picture))
    }

    @Test func `of GGUF files the one quantization comes, with all its parts`() throws {
        let files = [
            "README.md", "M-Q4_K_M.gguf", "M-Q8_0.gguf", "M-UD-Q4_K_M.gguf", "mmproj-M-f16.gguf", "M.imatrix.gguf",
            "BF16/M-BF16-00001-of-00002.gguf", "BF16/M-BF16-00002-of-00002.gguf", "config.json", "m-f16.gguf",
        ]
        #expect(try paths(files) == ["M-Q4_K_M.gguf"])
        #expect(try paths(files, "org/model:q8_0") == ["M-Q8_0.gguf"])
        #expect(try paths(files, "org/model:UD-Q4_K_M") == ["M-UD-Q4_K_M.gguf"])
        #expect(try paths(files, "org/model:F16") == ["m-f16.gguf"])
        #expect(
            try paths(files, "org/model:bf16") == [
                "BF16/M-BF16-00001-of-00002.gguf", "BF16/M-BF16-00002-of-00002.gguf",
            ])
        #expect(try needed(files, "org/model:BF16").file == "BF16/M-BF16-00001-of-00002.gguf")
        #expect(try paths(files, "org/model/mmproj-M-f16.gguf") == ["mmproj-M-f16.gguf"])
        #expect(try paths(["only-this.gguf"]) == ["only-this.gguf"])
        let error = #expect(throws: HubError.self) { try needed(files, "org/model:Q2_K") }
        #expect(error?.message.contains("it has: BF16, F16, Q4_K_M, Q8_0, UD-Q4_K_M") == true)
        #expect(throws: HubError.self) { try needed(["a-Q8_0.gguf", "a-Q6_K.gguf"]) }
        #expect(throws: HubError.self) { try needed(["x/a-Q8_0.gguf", "b-Q8_0.gguf"], "org/model:Q8_0") }
        #expect(throws: HubError.self) { try needed(["a-Q8_0-00001-of-00002.gguf"], "org/model:Q8_0") }
    }

    @Test func `what is in no format that is read is refused with what is there`() throws {
        for files in [["pytorch_model.bin", "config.json"], ["2_Dense/model.safetensors", "pytorch_model.bin"]] {
            let error = #expect(throws: HubError.self) { try needed(files) }
            #expect(error?.code == .unsupported && error?.message.contains("pytorch_model.bin") == true)
        }
        #expect(throws: HubError.self) { try needed([]) }
        #expect(throws: HubError.self) { try needed(["model.safetensors"]) }
        #expect(throws: HubError.self) { try needed(["model.safetensors", "config.json"], "org/model:Q4_K_M") }
    }
}
