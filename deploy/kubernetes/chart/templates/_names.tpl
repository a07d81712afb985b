{{- define "labels" -}}
app.kubernetes.io/name: gatehouse-admin
{{- end -}}

{{- define "metadata" -}}
name: gatehouse-admin
namespace: {{ .Release.Namespace }}
{{- end -}}
