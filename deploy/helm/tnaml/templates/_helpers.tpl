{{- define "tnaml.name" -}}{{ .Release.Name | trunc 30 | trimSuffix "-" }}{{- end }}

{{- define "tnaml.selector" -}}
app.kubernetes.io/name: tnaml
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tnaml.labels" -}}
{{ include "tnaml.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "tnaml.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "tnaml.name" .) }}
{{- else }}{{ required "serviceAccount.name: give one, or let the chart create it" .Values.serviceAccount.name }}{{ end }}
{{- end }}

{{- /* An image: of values that may be a group's own, over the chart's. */ -}}
{{- define "tnaml.image" -}}
{{- $own := .own | default dict -}}
{{- $i := mergeOverwrite (deepCopy .root.Values.image) $own -}}
{{- if and (or $own.repository $own.tag) (not $own.digest) -}}{{- $_ := set $i "digest" "" -}}{{- end -}}
{{- if $i.digest }}{{ $i.repository }}@{{ $i.digest }}{{ else }}{{ $i.repository }}:{{ $i.tag | default .root.Chart.AppVersion }}{{ end }}
{{- end }}

{{- /* A duration as the worker takes it ("1m30s"), in seconds, rounded up. */ -}}
{{- define "tnaml.seconds" -}}
{{- $units := dict "h" 3600.0 "m" 60.0 "s" 1.0 "ms" 0.001 "us" 0.000001 "µs" 0.000001 "ns" 0.000000001 -}}
{{- $sum := 0.0 -}}
{{- range regexFindAll "[0-9.]+[a-zµ]+" (toString .) -1 -}}
{{- $sum = addf $sum (mulf (regexFind "[0-9.]+" . | float64) (get $units (regexFind "[a-zµ]+" .) | default 0.0)) -}}
{{- end -}}
{{- ceil $sum | int -}}
{{- end }}

{{- /* What is wrong with the values beyond their schema: said together, and nothing is rendered. */ -}}
{{- define "tnaml.check" -}}
{{- $wrong := list -}}
{{- $v := .Values -}}
{{- $grace := 0 -}}
{{- range $v.workers -}}
{{- range (mergeOverwrite (deepCopy $v.config) (deepCopy (.config | default dict))).trainers | default dict -}}
{{- $grace = max $grace (include "tnaml.seconds" (get (. | default dict) "grace" | default "30s") | int) -}}
{{- end -}}
{{- end -}}
{{- $least := add (int $v.drainSeconds) $grace 25 | int -}}
{{- if lt (int $v.terminationGracePeriodSeconds) $least -}}
{{- $wrong = append $wrong (printf "terminationGracePeriodSeconds is %d: a worker that drains for drainSeconds %d, with programs' grace of %d s, would be killed; give at least %d" (int $v.terminationGracePeriodSeconds) (int $v.drainSeconds) $grace $least) -}}
{{- end -}}
{{- if ne (empty $v.version.deployment) (empty $v.version.buildId) -}}
{{- $wrong = append $wrong "version.deployment and version.buildId go together" -}}
{{- end -}}
{{- if and $v.temporal.tls.clientCertificate (not $v.temporal.tls.existingSecret) -}}
{{- $wrong = append $wrong "temporal.tls.clientCertificate is of temporal.tls.existingSecret, which is not given" -}}
{{- end -}}
{{- if and $v.temporal.apiKey.existingSecret (not $v.temporal.tls.enabled) -}}
{{- $wrong = append $wrong "temporal.apiKey would travel in the clear: it needs temporal.tls.enabled" -}}
{{- end -}}
{{- if and $v.serve.enabled (not $v.serve.tokenSecret) -}}
{{- $wrong = append $wrong "serve.tokenSecret: name a secret with the key token" -}}
{{- end -}}
{{- $names := list -}}
{{- range $v.workers -}}
{{- if has .name $names -}}{{- $wrong = append $wrong (printf "workers: two groups are named %s" .name) -}}{{- end -}}
{{- if eq .name "serve" -}}{{- $wrong = append $wrong "workers: no group is named serve, which is the API's" -}}{{- end -}}
{{- $names = append $names .name -}}
{{- $a := mergeOverwrite (deepCopy $v.autoscaling) (.autoscaling | default dict) -}}
{{- if and $a.enabled (gt (int $a.minReplicas) (int $a.maxReplicas)) -}}
{{- $wrong = append $wrong (printf "workers: %s has autoscaling with more minReplicas than maxReplicas" .name) -}}
{{- end -}}
{{- if and $a.enabled (eq $a.scaleDown "demand") (not $a.prometheus) -}}
{{- $wrong = append $wrong (printf "workers: %s has autoscaling by demand, which needs autoscaling.prometheus" .name) -}}
{{- end -}}
{{- if and $a.enabled $v.temporal.tls.enabled (not $v.temporal.apiKey.existingSecret) (not $v.temporal.tls.clientCertificate) -}}
{{- $wrong = append $wrong (printf "workers: %s has autoscaling, and KEDA speaks TLS to Temporal only with an API key or a client certificate" .name) -}}
{{- end -}}
{{- end -}}
{{- if $wrong -}}{{- fail (join "; " $wrong) -}}{{- end -}}
{{- end }}

{{- /* tnaml.yaml: the chart's settings, then config, then the group's. */ -}}
{{- define "tnaml.config" -}}
{{- $v := .root.Values -}}
{{- $c := dict "log_level" $v.logs.level "log_format" $v.logs.format
  "temporal" (dict "address" $v.temporal.address "namespace" $v.temporal.namespace "task_queue" $v.temporal.taskQueue)
  "s3" (dict "endpoint" $v.s3.endpoint "bucket" $v.s3.bucket "region" $v.s3.region "tls" $v.s3.tls) -}}
{{- mergeOverwrite $c (deepCopy $v.config) (deepCopy (.own | default dict)) | toYaml -}}
{{- end }}

{{- /* The environment: secrets by reference, and Temporal's TLS by the SDK's convention. */ -}}
{{- define "tnaml.env" -}}
{{- with .Values.s3.existingSecret }}
- name: TNAML_S3_ACCESS_KEY
  valueFrom: {secretKeyRef: {name: {{ . }}, key: {{ $.Values.s3.accessKey }}}}
- name: TNAML_S3_SECRET_KEY
  valueFrom: {secretKeyRef: {name: {{ . }}, key: {{ $.Values.s3.secretKey }}}}
{{- end }}
{{- with .Values.temporal.apiKey.existingSecret }}
- name: TEMPORAL_API_KEY
  valueFrom: {secretKeyRef: {name: {{ . }}, key: {{ $.Values.temporal.apiKey.key }}}}
{{- end }}
{{- with .Values.temporal.tls }}
{{- if .enabled }}
- {name: TEMPORAL_TLS, value: "true"}
{{- with .serverName }}
- {name: TEMPORAL_TLS_SERVER_NAME, value: {{ . | quote }}}
{{- end }}
{{- if .existingSecret }}
- {name: TEMPORAL_TLS_SERVER_CA_CERT_PATH, value: /etc/tnaml/temporal/ca.crt}
{{- if .clientCertificate }}
- {name: TEMPORAL_TLS_CLIENT_CERT_PATH, value: /etc/tnaml/temporal/tls.crt}
- {name: TEMPORAL_TLS_CLIENT_KEY_PATH, value: /etc/tnaml/temporal/tls.key}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- /* What all pods have of security, and of files. The image's user is 65532. */ -}}
{{- define "tnaml.pod" -}}
serviceAccountName: {{ include "tnaml.serviceAccount" . }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "tnaml.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "tnaml.mounts" -}}
- {name: config, mountPath: /etc/tnaml/config, readOnly: true}
- {name: scratch, mountPath: /var/lib/tnaml}
- {name: tmp, mountPath: /tmp}
{{- with .Values.temporal.tls }}
{{- if and .enabled .existingSecret }}
- {name: temporal-tls, mountPath: /etc/tnaml/temporal, readOnly: true}
{{- end }}
{{- end }}
{{- end }}

{{- define "tnaml.tlsVolume" -}}
{{- with .Values.temporal.tls }}
{{- if and .enabled .existingSecret }}
- name: temporal-tls
  secret: {secretName: {{ .existingSecret }}, defaultMode: 0440}
{{- end }}
{{- end }}
{{- end }}

{{- /* A group's trainers with their slots, as JSON: those it names, or all that its image has. */ -}}
{{- define "tnaml.trainers" -}}
{{- $out := dict -}}
{{- $programs := (mergeOverwrite (deepCopy .root.Values.config) (deepCopy (.group.config | default dict))).trainers | default dict -}}
{{- $names := keys (.group.trainers | default dict) -}}
{{- if not $names -}}{{- $names = concat (list "builtin" "table") (keys $programs) -}}{{- end -}}
{{- range $name := $names -}}
{{- $slots := get ($.group.trainers | default dict) $name | default (get (get $programs $name | default dict) "slots") | default $.group.slots -}}
{{- $_ := set $out $name (int $slots) -}}
{{- end -}}
{{- toJson $out -}}
{{- end }}
